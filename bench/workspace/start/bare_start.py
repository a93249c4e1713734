"""Time the bare server: `python bare_start.py ARCHIVE POSTGRES TEMPLATE lean|default` prints milliseconds.

From the spawn of `postgres` on a ready copy of the template in shared memory until it answers ReadyForQuery. As
event-driven as the launcher: the server's own announcement in its log is the signal to connect.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TextIO

_PROTOCOL_3_0 = 196608
_MEMORY = "/dev/shm"  # noqa: S108 - mkdtemp makes an unguessable name in it


def main(archive: str, program: str, template: str, settings: str) -> float:
    """Prepare, start, time, stop and clean up; return milliseconds."""
    sys.path.insert(0, archive)
    from realservices.kinds.postgres.server.settings import server_settings  # noqa: PLC0415 - found on the path just set

    work = tempfile.mkdtemp(prefix="bare.", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)
    data = Path(work, "data")
    try:
        with tarfile.open(template) as tar:
            tar.extractall(data, filter="tar")
        data.chmod(0o700)
        version_num = int((data / "PG_VERSION").read_text(encoding="ascii")) * 10000
        chosen = server_settings({}, version_num) if settings == "lean" else {}
        return _time_start(program, work, chosen)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _time_start(program: str, work: str, settings: dict[str, str]) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = settings | {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": work}
    argv = [program, "-D", f"{work}/data", *(f"--{name}={value}" for name, value in settings.items())]
    log, log_end = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, log_end, 1), (os.POSIX_SPAWN_DUP2, log_end, 2), (os.POSIX_SPAWN_CLOSE, log)]
    env = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
    begin = time.monotonic()
    pid = os.posix_spawn(program, argv, env, file_actions=actions)
    os.close(log_end)
    try:
        with os.fdopen(log, encoding="utf-8", errors="replace") as lines:
            _await_announcement(lines)
            _await_ready_for_query(f"{work}/.s.PGSQL.{port}")
            return (time.monotonic() - begin) * 1000
    finally:
        os.kill(pid, signal.SIGQUIT)
        os.waitpid(pid, 0)


def _await_announcement(lines: TextIO) -> None:
    seen = []
    for line in lines:
        if "ready to accept connections" in line:
            return
        seen.append(line)
    raise SystemExit("bare postgres ended before it was ready:\n" + "".join(seen))


def _await_ready_for_query(path: str) -> None:
    """Log in and read up to ReadyForQuery (https://www.postgresql.org/docs/current/protocol-flow.html)."""
    body = _PROTOCOL_3_0.to_bytes(4, "big") + b"user\0test\0database\0test\0\0"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        connection.sendall((len(body) + 4).to_bytes(4, "big") + body)
        with connection.makefile("rb") as stream:
            while (kind := stream.read(1)) != b"Z":
                content = stream.read(int.from_bytes(stream.read(4), "big") - 4)
                if kind in (b"", b"E"):
                    raise SystemExit(f"bare postgres refused the login: {content!r}")


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
