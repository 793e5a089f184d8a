"""What a hook posts says by a header which of the hook's calls it acts for, so that loops end."""

from flask import Flask, request

from forllm_server.hooks.telling import CAUSE_HEADER, heed_cause
from forllm_server.web.guard import is_api_path


def install(app: Flask) -> None:
    """Read the header of every call of the API; pages, which a person uses, follow from no call."""

    @app.before_request
    def heed() -> None:
        # A thread answers one request after the other: each begins without a cause.
        heed_cause(None)
        if is_api_path(request.path):
            heed_cause(request.headers.get(CAUSE_HEADER))
