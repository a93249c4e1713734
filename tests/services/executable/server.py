"""A small server of the user's own: counts visits in Redis and tells what it was given."""

from __future__ import annotations

import json
import os
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def _redis(*words: str) -> str:
    """Send one command to the Redis of the environment and return the line that it answers."""
    with socket.create_connection((os.environ["REDIS_HOST"], int(os.environ["REDIS_PORT"])), timeout=10) as connection:
        stream = connection.makefile("rwb")
        for command in (("AUTH", os.environ["REDIS_PASSWORD"]), words):
            stream.write(f"*{len(command)}\r\n".encode())
            stream.writelines(f"${len(word)}\r\n{word}\r\n".encode() for word in command)
            stream.flush()
            answer = stream.readline().decode().strip()
    return answer


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        greeting = Path(os.environ["GREETING_FILE"]).read_text(encoding="utf-8").strip()
        answer = {"visits": _redis("INCR", self.path), "greeting": greeting, "redis_url": os.environ["REDIS_URL"]}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    assert sys.argv[1] == "--port"
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), _Handler) as server:
        server.serve_forever()
