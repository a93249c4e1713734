"""Time the bare engine: `python bare_clickhouse.py LIBRARY` prints milliseconds.

From the spawn of a process that does nothing but load the library and call ``clickhouse local``, with no configuration
and an empty data directory in shared memory, until it answers SELECT 1 by HTTP.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

_MEMORY = "/dev/shm"  # noqa: S108 - mkdtemp makes an unguessable name in it
_TIMEOUT_S, _PAUSE_S = 60.0, 0.002
_HOST = "127.0.0.1"
_REQUEST = f"GET /?query=SELECT%201 HTTP/1.0\r\nHost: {_HOST}\r\n\r\n".encode()
# The last query keeps the engine: one row per block, and a sleep for each of them.
_QUERIES = (
    "SYSTEM START LISTEN HTTP; SELECT sleepEachRow(4000) FROM system.numbers "
    "SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 4000000000 FORMAT Null"
)
_HOLD = """
import ctypes, os, sys
arguments = [os.fsencode(argument) for argument in ["clickhouse", *sys.argv[2:]]]
ctypes.CDLL(sys.argv[1], mode=os.RTLD_LAZY).chdb_query_cmdline(
    len(arguments), (ctypes.c_char_p * (len(arguments) + 1))(*arguments, None)
)
"""


def main(library: str) -> float:
    """Start, time, stop and clean up; return milliseconds."""
    work = tempfile.mkdtemp(prefix="bare.", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)
    try:
        return _time_start(library, Path(work))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _time_start(library: str, work: Path) -> float:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port = probe.getsockname()[1]
    arguments = [f"--path={work}/data", f"--listen_host={_HOST}", f"--http_port={port}", f"--query={_QUERIES}"]
    argv = [sys.executable, "-I", "-S", "-B", "-c", _HOLD, library, *arguments]
    log = work / "log"
    actions = [
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    env = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
    begin = time.monotonic()
    pid = os.posix_spawn(sys.executable, argv, env, file_actions=actions)
    try:
        while not _answers(port):
            if time.monotonic() - begin > _TIMEOUT_S or os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                raise SystemExit(f"the bare engine does not serve:\n{log.read_text(encoding='utf-8')}")
            time.sleep(_PAUSE_S)
        return (time.monotonic() - begin) * 1000
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((_HOST, port), 1) as connection:
            connection.sendall(_REQUEST)
            with connection.makefile("rb") as answer:
                return answer.read().endswith(b"\r\n\r\n1\n")
    except OSError:
        return False


if __name__ == "__main__":
    print(main(sys.argv[1]))
