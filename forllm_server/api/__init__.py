"""The JSON API under ``/api/v1``: one module a noun, described by OpenAPI 3.1 at ``/api/v1/openapi.json``."""

from forllm_server.api.installation import install

__all__ = ["install"]
