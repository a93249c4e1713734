"""How `WebSocketClient` reaches the websockets library, which is imported at the first connection (40 ms)."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from realservices.clients.addresses import describe_port
from realservices.clients.errors import shown_body

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection


async def open_connection(url: str, token: str | None, options: dict[str, Any]) -> ClientConnection:
    """Connect, once, without a proxy: the services are near."""
    from websockets.asyncio.client import connect  # noqa: PLC0415 - see the module's docstring

    if "proxy" in inspect.signature(connect.__init__).parameters:  # From version 15 on.
        options = {"proxy": None, **options}
    if token is not None:
        options = {**options, "additional_headers": {"Authorization": f"Bearer {token}"}}
    connection: ClientConnection = await connect(url, **options)
    return connection


def closed_exception() -> type[Exception]:
    """Return what the library raises on a closed connection."""
    from websockets.exceptions import ConnectionClosed  # noqa: PLC0415 - see the module's docstring

    return ConnectionClosed


def close_state(connection: ClientConnection | None) -> tuple[int | None, str]:
    """Return how a connection was closed: code and reason. No code: there was none, or it is open."""
    if connection is None:
        return None, ""
    # Of the protocol: the connection itself has had them only since version 14.
    return connection.protocol.close_code, connection.protocol.close_reason or ""


async def describe_failure(shown: str, url: str, error: Exception) -> str:
    """Say why no connection came about, and what to do."""
    from websockets.exceptions import InvalidStatus  # noqa: PLC0415 - see the module's docstring

    if isinstance(error, InvalidStatus):
        answer = error.response
        body = bytes(answer.body or b"").decode(errors="replace")
        return (
            f"{shown} refused the WebSocket with status {answer.status_code}: {shown_body(body)}\n"
            f"  {_remedy(answer.status_code)}"
        )
    return (
        f"cannot connect to {shown}: {type(error).__name__}: {error or 'no answer in time'}\n"
        f"  {await describe_port(url)}; a server that is open but does not answer may not speak WebSocket at this path"
    )


def _remedy(status: int) -> str:
    if status in (401, 403):
        return "give the client a token that the server knows: WebSocketClient(url, token)"
    if status == 404:
        return "the server has no WebSocket at this path"
    return "the server's log may say why"
