"""A remote cache by HTTP: nginx where the machine has it, else a few lines of Python that do the same."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.host.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEADLINE_S = 30.0
# As docs/ci.md has it, but for what a daemon of the machine has elsewhere.
_NGINX = """
daemon off;
pid {top}/nginx.pid;
error_log {top}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {top}/incoming;
  proxy_temp_path {top}/unused;
  fastcgi_temp_path {top}/unused;
  uwsgi_temp_path {top}/unused;
  scgi_temp_path {top}/unused;
  server {{
    listen 127.0.0.1:{port};
    root {top}/cache;
    client_max_body_size 2g;
    location / {{
      dav_methods PUT;
      create_full_put_path on;
    }}
  }}
}}
"""


@contextlib.contextmanager
def http_cache(top: Path) -> Iterator[str]:
    """Run a cache in a directory; yield its address."""
    (top / "cache").mkdir(parents=True)
    nginx = os.environ.get("NGINX") or shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    with _nginx(nginx, top) if nginx else _python(top / "cache") as address:
        yield address


@contextlib.contextmanager
def _nginx(program: str, top: Path) -> Iterator[str]:
    top.chmod(0o755)  # As root, nginx has workers of another user.
    (top / "cache").chmod(0o777)
    port = free_port()
    user = "user root;\n" if os.geteuid() == 0 else ""
    (top / "nginx.conf").write_text(user + _NGINX.format(top=top, port=port), encoding="utf-8")
    with subprocess.Popen(
        [program, "-p", str(top), "-c", str(top / "nginx.conf"), "-e", str(top / "error.log")]
    ) as server:
        try:
            _await(port, server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _await(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert server.poll() is None, "nginx does not start"
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def _python(cache: Path) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(cache))  # type: ignore[arg-type]

        def do_PUT(self) -> None:
            path = Path(self.translate_path(self.path))
            path.parent.mkdir(exist_ok=True)
            left = int(self.headers["Content-Length"])
            partial = path.with_name(f"{path.name}.{threading.get_ident()}")
            with partial.open("wb") as file:
                while left:
                    left -= file.write(self.rfile.read(min(left, 1 << 20)))
            partial.replace(path)
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
