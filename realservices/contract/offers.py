"""Where warm services are offered, and how a session takes them over.

A process with services that nobody has used yet listens at a socket in the registry. Its name is a key: what must be
the same for services to be of any use to a session. Whoever says `TAKE` first gets the directory of a session in which
they run, with the descriptors that its first process holds; the process ends them with that session.
"""

from __future__ import annotations

import os
import socket

from realservices.contract.errors import RealServicesError
from realservices.contract.registry import present_registries, registry_directory

TAKE, LOOK, END = b"take\n", b"look\n", b"end\n"
"""What can be asked for: the services, who they are (JSON), their end."""

OFFERS, OFFER_SUFFIX = "warm", ".sock"
"""Where sockets lie in the registry, and how their names end."""
# Whoever offers has nothing else to do. One that does not answer is broken, and its services would be, too.
_TIMEOUT_S = 0.5
# Servers are killed, and their directories removed.
_END_TIMEOUT_S = 15.0
_MOST_BYTES = 65536
_CLOSED_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # Linux.


def offer_path(name: str) -> str:
    """Return the path of an offer's socket; whoever listens there has locked the same path with ``.lock``.

    Args:
        name: The offer's: its key.

    Raises:
        RealServicesError: There is no registry.
    """
    return f"{registry_directory()}/{OFFERS}/{name}{OFFER_SUFFIX}"


def present_offers() -> list[str]:
    """Return the names of all offers that somebody makes, or made until he was killed. It makes no registry."""
    try:
        names = os.listdir(f"{present_registries()[0]}/{OFFERS}")
    except (IndexError, FileNotFoundError):
        return []
    return sorted(name.removesuffix(OFFER_SUFFIX) for name in names if name.endswith(OFFER_SUFFIX))


def take_over(key: str) -> tuple[str, list[int]] | None:
    """Take the services that are offered for a key, if there are any.

    Returns:
        The session's directory, and what its first process holds (`session_directory`).
    """
    answer, descriptors = _ask(key, TAKE)
    if len(descriptors) == 2 and answer.startswith(b"/") and b"\0" not in answer:
        return os.fsdecode(answer), descriptors
    for descriptor in descriptors:
        os.close(descriptor)
    return None


def look_at(name: str) -> bytes:
    """Return what whoever makes an offer says of its services, as JSON; nothing if nobody answers."""
    return _ask(name, LOOK)[0]


def end_offer(name: str) -> bool:
    """Have the services of an offer ended, and wait for that; return whether there were any."""
    return bool(_ask(name, END, _END_TIMEOUT_S)[0])


def _ask(name: str, words: bytes, timeout_s: float = _TIMEOUT_S) -> tuple[bytes, list[int]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(offer_path(name))
            connection.sendall(words)
            answer, descriptors, _, _ = socket.recv_fds(connection, _MOST_BYTES, 2, _CLOSED_ON_EXEC)
        except (OSError, RealServicesError):
            return b"", []  # Nobody offers anything, or somebody else was faster.
    return answer, list(descriptors)
