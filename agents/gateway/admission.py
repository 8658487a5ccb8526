"""Who may talk to the service: addresses, tokens, pages of the web."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from subsecond.engine.errors import InputError

from .door import Line
from .refusals import as_json, refusal

__all__ = ["LOOPBACK", "allow_origin", "check_token", "entrance", "is_loopback", "may_enter"]

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
#: Subprotocol by which browsers' clients of the Realtime protocol carry a key.
KEY_PROTOCOL: Final = "openai-insecure-api-key."
#: Letters of a path that are repeated to who asked for it.
SHOWN: Final = 100


def check_token(token: str) -> None:
    """A token must arrive as it was sent.

    Raises:
        InputError: it holds what a header cannot carry.
    """
    if not token.isprintable() or token != token.strip():
        raise InputError("--token", "", "one that no header can carry", "letters, digits and signs, no blanks around")


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def may_enter(request: web.BaseRequest, token: str | None, *, is_local: bool) -> web.Response | None:
    """Whether a request may be served; the answer to it if it may not.

    A page of another site must not reach a service of this machine, so its `Origin` is refused; and a name that such a
    site has given this machine's address (DNS rebinding) is refused with the `Host`.

    Args:
        token: that clients must show; None: none is asked for.
        is_local: the service listens on this machine's own addresses alone.
    """
    origin = request.headers.get("Origin")
    if origin is not None and not _is_own_page(origin):
        return refusal(403, "pages of other sites may not connect")
    if is_local and not is_loopback(_host_of(request.headers.get("Host", "localhost"))):
        return refusal(403, "this service is reached by the name localhost or a loopback address")
    if token is not None and not any(_is_same(token, shown) for shown in _tokens(request)):
        return refusal(401, headers={hdrs.WWW_AUTHENTICATE: "Bearer"})
    return None


def entrance(token: str | None, *, is_local: bool) -> Middleware:
    """Lets in those who may enter (see `may_enter`); refusals of the server itself are put as clients read them."""

    @web.middleware
    async def enter(request: web.Request, handler: Handler) -> web.StreamResponse:
        line = request.protocol
        if isinstance(line, Line):
            line.begins()
        try:
            return await admit(request, handler)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return as_json(error, f"{request.method} {request.path[:SHOWN]}")
        finally:
            if isinstance(line, Line):
                line.ends()

    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        is_preflight = request.method == "OPTIONS" and origin is not None  # which carries no token
        refused = may_enter(request, None if is_preflight else token, is_local=is_local)
        if refused is not None:
            return refused
        if is_preflight:
            asked = request.headers.get("Access-Control-Request-Headers", "")
            allowed = {"Access-Control-Allow-Methods": "GET, POST", "Access-Control-Allow-Headers": asked}
            return web.Response(status=204, headers=allowed)
        return await handler(request)

    return enter


async def allow_origin(request: web.Request, response: web.StreamResponse) -> None:
    """A page of this machine may read the answer (`on_response_prepare`)."""
    origin = request.headers.get("Origin")
    if origin is not None and _is_own_page(origin):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Vary"] = "Origin"


def _tokens(request: web.BaseRequest) -> list[str]:
    """What a client shows as its token, wherever its library lets it put one."""
    headers: Mapping[str, str] = request.headers
    scheme, _, credentials = headers.get(hdrs.AUTHORIZATION, "").strip().partition(" ")
    found = [credentials.strip() if scheme.lower() == "bearer" else "", headers.get("api-key", "")]
    offered = [one.strip() for one in headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")]
    found += [one.removeprefix(KEY_PROTOCOL) for one in offered if one.startswith(KEY_PROTOCOL)]
    found.append(request.query.get("token", ""))
    return [one for one in found if one]


def _is_same(token: str, shown: str) -> bool:
    """Compare in a time that tells nothing of the token, its length included."""
    digests = [hashlib.sha256(one.encode(errors="surrogatepass")).digest() for one in (token, shown)]
    return hmac.compare_digest(*digests)


def _host_of(authority: str) -> str:
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def _is_own_page(origin: str) -> bool:
    """Whether a page comes from this machine."""
    try:
        return is_loopback(urlsplit(origin).hostname or "")
    except ValueError:
        return False
