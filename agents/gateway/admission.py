"""Who may talk to the service: addresses, tokens, pages of the web, and how much at a time."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

__all__ = ["LOOPBACK", "Limits", "Rate", "allow_origin", "entrance", "is_loopback", "may_enter"]

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
#: Subprotocol by which browsers' clients of the Realtime protocol carry a key.
KEY_PROTOCOL: Final = "openai-insecure-api-key."


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients may take.

    Attributes:
        connections: websockets, and HTTP requests under way, in all.
        message_bytes: longest message or body.
        requests_per_s: model requests of all clients; short bursts may have twice as many.
        stalled_s: how long a client may read nothing of what is sent to it.
        waiting_bytes: that may wait for one client.
    """

    connections: int = 4096
    message_bytes: int = 64 * 1024 * 1024
    requests_per_s: float = 5000.0
    stalled_s: float = 10.0
    waiting_bytes: int = 16 * 1024 * 1024


class Rate:
    """A bucket of permits that fills at a rate, up to two seconds' worth.

    Args:
        per_s: permits per second of the caller's clock.
    """

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._left = 2 * per_s
        self._at_s = 0.0

    def take(self, now_s: float) -> bool:
        """Take a permit, if there is one."""
        self._left = min(2 * self._per_s, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def may_enter(request: web.BaseRequest, token: str | None, *, is_local: bool) -> web.HTTPException | None:
    """Whether a request may be served; the answer to it if it may not.

    A page of another site must not reach a service of this machine, so its `Origin` is refused; and a name that such a
    site has given this machine's address (DNS rebinding) is refused with the `Host`.

    Args:
        token: that clients must show; None: none is asked for.
        is_local: the service listens on this machine's own addresses alone.
    """
    origin = request.headers.get("Origin")
    if origin is not None and not _is_own_page(origin):
        return web.HTTPForbidden(text="pages of other sites may not connect")
    if is_local and not is_loopback(_host_of(request.headers.get("Host", "localhost"))):
        return web.HTTPForbidden(text="this service is reached by the name localhost or a loopback address")
    if token is not None and not any(hmac.compare_digest(token.encode(), shown) for shown in _tokens(request)):
        return web.HTTPUnauthorized(text="a token is needed: Authorization: Bearer TOKEN")
    return None


def entrance(token: str | None, *, is_local: bool) -> Middleware:
    """Lets in those who may enter, and lets pages of this machine read the answers; see `may_enter`."""

    @web.middleware
    async def enter(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        is_preflight = request.method == "OPTIONS" and origin is not None  # which carries no token
        refusal = may_enter(request, None if is_preflight else token, is_local=is_local)
        if refusal is not None:
            raise refusal
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


def _tokens(request: web.BaseRequest) -> list[bytes]:
    """What a client shows as its token, wherever its library lets it put one."""
    headers: Mapping[str, str] = request.headers
    found = [headers.get("Authorization", "").removeprefix("Bearer ").strip(), headers.get("api-key", "")]
    offered = [one.strip() for one in headers.get("Sec-WebSocket-Protocol", "").split(",")]
    found += [one.removeprefix(KEY_PROTOCOL) for one in offered if one.startswith(KEY_PROTOCOL)]
    found.append(request.query.get("token", ""))
    return [one.encode(errors="replace") for one in found if one]


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
