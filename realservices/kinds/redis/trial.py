"""Whether a Redis of this machine works: it is started and asked for its version."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

from realservices.cli.checks.trial_process import TIMEOUT_S, read_until
from realservices.host.process import spawn

if TYPE_CHECKING:
    from pathlib import Path


def version_of(program: Path, directory: str) -> str:
    """Start a server and return what it is.

    Args:
        program: It.
        directory: For its socket.

    Raises:
        OSError: It does not work.
    """
    path = f"{directory}/redis.sock"
    settings = f'port 0\nunixsocket {path}\nunixsocketperm 700\ndir {directory}\nsave ""\n'
    read_end, write_end = os.pipe()
    config_read, config_write = os.pipe()
    os.write(config_write, settings.encode())
    os.close(config_write)
    pid = spawn([str(program), "-"], env={"LC_ALL": "C"}, output=write_end, stdin=config_read, cwd=directory)
    os.close(config_read)
    os.close(write_end)
    try:
        log = read_until(read_end, b"Ready to accept connections")
        return _ask(path, log)
    finally:
        os.close(read_end)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _ask(path: str, log: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(TIMEOUT_S)
        client.connect(path)
        client.sendall(b"PING\r\nINFO server\r\n")
        answer = b""
        while b"_version:" not in answer or not answer.rpartition(b"_version:")[2].count(b"\r\n"):
            part = client.recv(65536)
            if not part:
                raise OSError(f"it closed the connection: {log}")
            answer += part
    fields = dict(line.partition(":")[::2] for line in answer.decode().splitlines())
    if "valkey_version" in fields:
        return f"Valkey {fields['valkey_version']}"
    return f"Redis {fields['redis_version']}"
