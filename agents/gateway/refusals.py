"""Answers to HTTP requests that cannot be served, in the shape that OpenAI's clients read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs, web

__all__ = ["as_json", "refusal"]

#: The protocol's word for each status, and what is said where the server's own words say nothing.
_CODES: Final = {
    400: ("bad_request", "the request cannot be read"),
    401: ("invalid_api_key", "a token is needed: Authorization: Bearer TOKEN"),
    403: ("forbidden", "this client may not connect"),
    404: ("unknown_url", "nothing is served here"),
    405: ("method_not_supported", "this path is not served by this method"),
    408: ("request_timeout", "the request's body took too long"),
    413: ("request_too_large", "the request's body is too long"),
    415: ("unsupported_encoding", "bodies are taken without a content encoding"),
    426: ("upgrade_required", "this path is served over a websocket"),
    500: ("internal_error", "internal error"),
    503: ("too_many_connections", "no more connections are taken"),
}
#: Headers of an answer that tell the client what to do next; the others belong to the page that is not sent.
_KEPT: Final = (hdrs.ALLOW, hdrs.WWW_AUTHENTICATE, hdrs.RETRY_AFTER, hdrs.UPGRADE)


def refusal(
    status: int, message: str = "", *, code: str = "", headers: Mapping[str, str] | None = None
) -> web.Response:
    """An answer in OpenAI's shape.

    Args:
        message: in words; "": those of the status.
        code: the protocol's word; "": that of the status.
    """
    usual_code, usual_words = _CODES.get(status, ("error", "the request cannot be served"))
    kind = "invalid_request_error"
    if status >= 500:
        kind = "server_error"
    if status in (429, 503):
        kind = "rate_limit_error"
        headers = {hdrs.RETRY_AFTER: "1", **(headers or {})}
    error = {"message": message or usual_words, "type": kind, "param": None, "code": code or usual_code}
    return web.json_response({"error": error}, status=status, headers=headers)


def as_json(error: web.HTTPException, what: str) -> web.Response:
    """The server's own refusal of a request, as clients read it.

    Args:
        what: method and path.
    """
    headers = {str(name): error.headers[name] for name in _KEPT if name in error.headers}
    words = error.text or ""
    is_usual = words.startswith(f"{error.status}: ")
    message = f"{what}: {_CODES[error.status][1]}" if is_usual and error.status in _CODES else words
    return refusal(error.status, message, headers=headers)
