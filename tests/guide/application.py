"""The application under test in the migration guide's examples: users in PostgreSQL, sessions in Redis, JSON over HTTP.

POST /auth/signup    {"email", "password"}   access_token, refresh_token, session_id, user_id
POST /auth/login     {"email", "password"}   the same
GET  /api/users/ID                           {"id", "email"}
GET  /health
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import signal
import sys
from typing import Any

import asyncpg
from redis.asyncio import Redis


def hash_password(password: str) -> str:
    """Return what is stored of a password. An example's: a real service salts and uses a slow function."""
    return hashlib.sha256(password.encode()).hexdigest()


async def create_user(database: Any, email: str, password: str = "") -> int:
    """Add a user and return the id."""
    sql = "INSERT INTO users (email, password_hash) VALUES ($1, $2) RETURNING id"
    return int(await database.fetchval(sql, email, hash_password(password)))


async def set_user_cache(cache: Any, user: str, fields: dict[str, Any]) -> None:
    """Remember what is known of a user."""
    await cache.set(f"user:{user}", json.dumps(fields), ex=300)


class Application:
    """Answers requests."""

    def __init__(self, database: asyncpg.Pool, cache: Redis) -> None:
        self._database = database
        self._cache = cache

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close the connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0
            )
            body = json.loads(await reader.readexactly(length)) if length else {}
            method, path, _ = head.split(" ", 2)
            status, answer = await self._answer(method, path, body)
        except (asyncpg.PostgresError, OSError) as error:
            status, answer = 503, {"error": repr(error)}
        except asyncio.IncompleteReadError:
            writer.close()
            return
        content = json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
            "Connection: close\r\n\r\n".encode()
            + content
        )
        await writer.drain()
        writer.close()

    async def _answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path == "/health":
            await self._database.fetchval("SELECT 1")
            return 200, {"status": "ok"}
        if (method, path) == ("POST", "/auth/signup"):
            try:
                return 201, await self._session(await create_user(self._database, body["email"], body["password"]))
            except asyncpg.UniqueViolationError:
                return 409, {"error": "email taken"}
        if (method, path) == ("POST", "/auth/login"):
            sql = "SELECT id FROM users WHERE email = $1 AND password_hash = $2"
            user = await self._database.fetchval(sql, body["email"], hash_password(body["password"]))
            return (200, await self._session(user)) if user else (401, {"error": "wrong email or password"})
        if method == "GET" and path.startswith("/api/users/"):
            user = await self._database.fetchrow("SELECT id, email FROM users WHERE id = $1", int(path.split("/")[3]))
            return (200, dict(user)) if user else (404, {"error": "no such user"})
        return 404, {"error": "no such path"}

    async def _session(self, user: int) -> dict[str, Any]:
        session = secrets.token_hex(8)
        await self._cache.set(f"session:{session}", str(user), ex=3600)
        tokens = {"access_token": secrets.token_hex(16), "refresh_token": secrets.token_hex(16)}
        return {"user_id": user, "session_id": session, **tokens}


async def main(port: int) -> None:
    """Serve on a port until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    pool = asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=4)
    async with pool, Redis.from_url(os.environ["REDIS_URL"]) as cache:
        application = Application(pool, cache)
        async with await asyncio.start_server(application.serve, "127.0.0.1", port):
            await stopping.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[sys.argv.index("--port") + 1])))
