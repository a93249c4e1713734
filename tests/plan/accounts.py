"""The plan's auth service: users in PostgreSQL, access tokens in Redis, JSON over HTTP.

POST /auth/signup   {"email", "password"}   201 {"email", "user_id"}
POST /auth/login    {"email", "password"}   200 {"access_token"}
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


def _hash(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


class Accounts:
    """Answers requests."""

    def __init__(self, database: asyncpg.Pool, tokens: Redis) -> None:
        self._database = database
        self._tokens = tokens

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close the connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [line[15:] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
            body = json.loads(await reader.readexactly(int(lengths[0]))) if lengths and int(lengths[0]) else {}
            status, answer = await self._answer(" ".join(head.split(" ", 2)[:2]), body)
        except asyncio.IncompleteReadError:
            writer.close()
            return
        content = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + content)
        await writer.drain()
        writer.close()

    async def _answer(self, request: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if request == "GET /health":
            await self._database.fetchval("SELECT 1")
            return 200, {"status": "ok"}
        if request == "POST /auth/signup":
            sql = "INSERT INTO users (email, password_hash) VALUES ($1, $2) RETURNING id"
            try:
                user = await self._database.fetchval(sql, body["email"], _hash(body["password"]))
            except asyncpg.UniqueViolationError:
                return 409, {"error": "email taken"}
            return 201, {"email": body["email"], "user_id": user}
        if request == "POST /auth/login":
            sql = "SELECT id FROM users WHERE email = $1 AND password_hash = $2"
            if await self._database.fetchval(sql, body["email"], _hash(body["password"])) is None:
                return 401, {"error": "wrong email or password"}
            token = secrets.token_urlsafe(16)
            await self._tokens.set(f"token:{token}", body["email"], ex=3600)
            return 200, {"access_token": token}
        return 404, {"error": "no such path"}


async def main(port: int) -> None:
    """Serve on a port until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    pool = asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=4)
    async with pool, Redis.from_url(os.environ["REDIS_URL"]) as tokens:
        server = await asyncio.start_server(Accounts(pool, tokens).serve, "127.0.0.1", port)
        async with server:
            await stopping.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[sys.argv.index("--port") + 1])))
