"""Where warm services are offered, and how a session takes them over.

A process with services that nobody has used yet listens at a socket in the registry. Its name is a key: what must be
the same for services to be of any use to a session. Whoever says `TAKE` first gets the directory of a session in which
they run, with the descriptors that its first process holds; the process ends them with that session.
"""

from __future__ import annotations

import os
import socket

from realservices.contract.errors import RealServicesError
from realservices.contract.registry import registry_directory

TAKE, LOOK, END = b"take\n", b"look\n", b"end\n"
"""What can be asked for: the services, who they are (JSON), their end."""

_FOLDER, _SUFFIX = "warm", ".sock"
# Whoever offers has nothing else to do. One that does not answer is broken, and its services would be, too.
_TIMEOUT_S = 0.5
# Servers are killed, and their directories removed.
_END_TIMEOUT_S = 15.0
_MOST_BYTES = 65536
_CLOSED_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # Linux.


def offer_path(key: str) -> str:
    """Return the path of the socket for a key; whoever listens there has locked the same path with ``.lock``.

    Raises:
        RealServicesError: There is no registry.
    """
    return f"{registry_directory()}/{_FOLDER}/{key}{_SUFFIX}"


def offered_keys() -> list[str]:
    """Return the keys for which somebody offers services, or did so and was killed.

    Raises:
        RealServicesError: There is no registry.
    """
    try:
        names = os.listdir(f"{registry_directory()}/{_FOLDER}")
    except FileNotFoundError:
        return []
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


def take_over(key: str) -> tuple[str, list[int]] | None:
    """Take the services that are offered for a key, if there are any.

    Returns:
        The session's directory, and what its first process holds (`session_directory`).
    """
    answer, descriptors = _ask(key, TAKE)
    if len(descriptors) == 2 and answer:
        return answer.decode(), descriptors
    for descriptor in descriptors:
        os.close(descriptor)
    return None


def look_at(key: str) -> bytes:
    """Return what whoever offers services for a key says of them, as JSON; nothing if nobody answers."""
    return _ask(key, LOOK)[0]


def end_offer(key: str) -> bool:
    """Have the services for a key ended, and wait for that; return whether anybody offered some."""
    return bool(_ask(key, END, _END_TIMEOUT_S)[0])


def _ask(key: str, words: bytes, timeout_s: float = _TIMEOUT_S) -> tuple[bytes, list[int]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(offer_path(key))
            connection.sendall(words)
            answer, descriptors, _, _ = socket.recv_fds(connection, _MOST_BYTES, 2, _CLOSED_ON_EXEC)
        except (OSError, RealServicesError):
            return b"", []  # Nobody offers anything, or somebody else was faster.
    return answer, list(descriptors)
