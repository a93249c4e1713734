"""Where warm services wait, and how a session claims them.

A process with services that are still unused listens at a socket in the registry. Its name is a key: what must be
the same for services to be of any use to a session. The first process that says `CLAIM` gets the directory of a
session in which they run, with the descriptors that its first process holds; the process ends them with that session.
"""

from __future__ import annotations

import os
import socket

from realservices.contract.errors import RealServicesError
from realservices.system.registry_directory import present_registries, registry_directory

CLAIM, LOOK, END = b"claim\n", b"look\n", b"end\n"
"""What can be asked for: the services, who they are (JSON), their end."""

POOL, SOCKET_SUFFIX = "warm", ".sock"
"""Where sockets lie in the registry, and how their names end."""
# The process behind a socket has nothing else to do. One that does not answer is broken, as its services would be.
_TIMEOUT_S = 0.5
# Servers are killed, and their directories removed.
_END_TIMEOUT_S = 15.0
_MOST_BYTES = 65536
_CLOSED_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # Linux.


def socket_path(name: str) -> str:
    """Return the path of an entry's socket; the process that listens there has locked the same path with ``.lock``.

    Args:
        name: The entry's: its key.

    Raises:
        RealServicesError: There is no registry.
    """
    return f"{registry_directory()}/{POOL}/{name}{SOCKET_SUFFIX}"


def waiting_sessions() -> list[str]:
    """Return the names of all entries, also of those whose process was killed. It makes no registry."""
    try:
        names = os.listdir(f"{present_registries()[0]}/{POOL}")
    except (IndexError, FileNotFoundError):
        return []
    return sorted(name.removesuffix(SOCKET_SUFFIX) for name in names if name.endswith(SOCKET_SUFFIX))


def claim(key: str) -> tuple[str, list[int]] | None:
    """Claim the services that wait for a key, if there are any.

    Returns:
        The session's directory, and what its first process holds (`session_directory`).
    """
    answer, descriptors = _ask(key, CLAIM)
    if len(descriptors) == 2 and answer.startswith(b"/") and b"\0" not in answer:
        return os.fsdecode(answer), descriptors
    for descriptor in descriptors:
        os.close(descriptor)
    return None


def look_at(name: str) -> bytes:
    """Return what the process behind an entry says of its services, as JSON; nothing if it does not answer."""
    return _ask(name, LOOK)[0]


def end_session(name: str) -> bool:
    """Have the services of an entry ended, and wait for that; return whether there were any."""
    return bool(_ask(name, END, _END_TIMEOUT_S)[0])


def _ask(name: str, words: bytes, timeout_s: float = _TIMEOUT_S) -> tuple[bytes, list[int]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(socket_path(name))
            connection.sendall(words)
            answer, descriptors, _, _ = socket.recv_fds(connection, _MOST_BYTES, 2, _CLOSED_ON_EXEC)
        except (OSError, RealServicesError):
            return b"", []  # Nothing waits, or another session was faster.
    return answer, list(descriptors)
