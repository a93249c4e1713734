"""A WebSocket relay: every message goes to all clients of the same path, the sender included, in one order for all.

    python -m realservices.programs.websocket_relay --port 8080

``ws://127.0.0.1:8080/any/path`` is a room of that name; a query does not matter. ``GET /health`` is answered with 200.
It prints a line when it listens and ends at SIGTERM. `//services:websocket_relay` is this program.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections import defaultdict
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from websockets.asyncio.server import broadcast, serve
from websockets.exceptions import ConnectionClosed

from realservices.programs.allowed_callers import AllowedCallers, CallerRefusedError, add_options, allowed_callers

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

_HEALTH = "/health"
_MESSAGE_MAX_BYTES = 16 * 1024 * 1024
_CLOSE_TIMEOUT_S = 1.0


class Relay:
    """Knows who is in which room."""

    def __init__(self) -> None:
        self._rooms: defaultdict[str, set[ServerConnection]] = defaultdict(set)

    async def serve(self, connection: ServerConnection) -> None:
        """Pass on what one client sends, until it leaves."""
        path = urlsplit(connection.request.path if connection.request else "/").path
        room = self._rooms[path]
        room.add(connection)
        try:
            while True:
                message = await connection.recv()
                # It writes to all at once: nobody's message can get between, so all see the same order.
                broadcast(room, message)
        except ConnectionClosed:
            pass
        finally:
            room.discard(connection)
            if not room:
                self._rooms.pop(path, None)


class Entrance:
    """What happens before a handshake: the readiness probe is answered, callers that are not allowed are refused."""

    def __init__(self) -> None:
        # Known once the port is.
        self.callers: asyncio.Future[AllowedCallers] = asyncio.get_running_loop().create_future()

    async def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return the answer; none, where the request goes on to be a WebSocket."""
        try:
            (await self.callers).check(request.headers.get_all("Host"), request.headers.get_all("Origin"))
        except CallerRefusedError as error:
            print(f"{request.path}: 403 {error}", file=sys.stderr, flush=True)
            response = connection.respond(HTTPStatus.FORBIDDEN, error.text())
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json"
            return response
        return connection.respond(HTTPStatus.OK, "ok\n") if request.path == _HEALTH else None


async def run(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    entrance = Entrance()
    async with serve(
        Relay().serve,
        arguments.host,
        arguments.port,
        process_request=entrance.answer,
        max_size=_MESSAGE_MAX_BYTES,
        close_timeout=_CLOSE_TIMEOUT_S,
        compression=None,  # Over loopback it only costs time.
    ) as server:
        bound = next(iter(server.sockets)).getsockname()[1]
        entrance.callers.set_result(allowed_callers(arguments, bound))
        print(f"websocket_relay is listening on ws://{arguments.host}:{bound}", flush=True)
        await stopping.wait()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="websocket_relay", description="Passes every message on to its whole room.")
    add_options(parser)
    arguments = parser.parse_args()
    asyncio.run(run(arguments))


if __name__ == "__main__":
    main()
