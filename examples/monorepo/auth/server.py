"""The auth service as a program: `python -m auth.server --port 8080`.

    POST /auth/signup   {"email", "password"}   201 and a grant
    POST /auth/login    {"email", "password"}   200 and a grant
    POST /auth/refresh  {"refresh_token"}       200 and a grant
    POST /auth/logout   {"refresh_token"}       204
    GET  /auth/me       Authorization: Bearer   200 {"user_id", "email"}
    GET  /health                                200

A grant is {"user_id", "session_id", "access_token", "refresh_token", "token_type", "expires_in"}; an error is {"error",
"message"}. While PostgreSQL or Redis cannot be reached, what needs it is answered with 503. Configured by DATABASE_URL,
REDIS_URL and AUTH_SIGNING_KEY.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from auth.app import AuthApp
from auth.passwords import PRODUCTION_COST, ScryptCost
from auth.tokens import Clock
from web.json_http import port_of, start_server
from web.program import required_environment, serve_until_told
from web.stores import open_stores


@asynccontextmanager
async def serving(
    *,
    database_url: str,
    redis_url: str,
    key: bytes,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Clock = time.time,
    cost: ScryptCost = PRODUCTION_COST,
) -> AsyncIterator[str]:
    """Serve until the context ends.

    Args:
        database_url: of a database with `migrations/` applied.
        redis_url: of the database that holds the sessions.
        key: what tokens are signed with; at least 32 bytes.
        host: address to listen on.
        port: 0 for any free one.
        clock: seconds since the epoch.
        cost: of new password hashes.

    Yields:
        The server's base URL.
    """
    async with open_stores(database_url=database_url, redis_url=redis_url) as (pool, sessions):
        app = AuthApp(pool=pool, sessions=sessions, key=key, clock=clock, cost=cost)
        server = await start_server(app, host=host, port=port)
        async with server:
            yield f"http://{host}:{port_of(server)}"
            server.close()  # stop listening; what is being answered is answered, with the pool still open
            await server.wait_closed()


def main() -> None:
    """Read arguments and environment, and serve."""
    parser = argparse.ArgumentParser(prog="auth.server", description="Users, sessions and tokens over HTTP.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port; 0, the default, takes a free one and prints it")
    arguments = parser.parse_args()
    database_url, redis_url = required_environment(parser, "DATABASE_URL", "REDIS_URL")
    server = serving(
        database_url=database_url,
        redis_url=redis_url,
        key=_signing_key(),
        host=arguments.host,
        port=arguments.port,
    )
    asyncio.run(serve_until_told("auth", server))


def _signing_key() -> bytes:
    key = os.environ.get("AUTH_SIGNING_KEY")
    if key:
        return key.encode()
    print("auth: AUTH_SIGNING_KEY is not set; tokens are good until this process ends", file=sys.stderr)
    return secrets.token_bytes(32)


if __name__ == "__main__":
    main()
