"""Polls that cost nothing when nothing changed: an ETag made of one version number."""

from flask import Response, request


def unchanged(version: int | str) -> Response | None:
    """The empty 304 when the asker has ``version`` already, else nothing."""
    if not request.if_none_match.contains_weak(str(version)):
        return None
    return with_version(Response(status=304), version)


def with_version(response: Response, version: int | str) -> Response:
    """``response``, marked as being ``version``; the next request may send it as ``If-None-Match``."""
    response.set_etag(str(version), weak=True)
    return response
