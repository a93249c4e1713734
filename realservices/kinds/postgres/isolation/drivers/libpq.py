"""How drivers that are built on libpq connect to a test's database, whatever the developer has set for other servers.

Most of libpq's parameters have a variable (https://www.postgresql.org/docs/current/libpq-envars.html), some have only
that (PGTZ, PGDATESTYLE), and no parameter says "no service". So the variables are hidden while a connection is opened.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from typing import TYPE_CHECKING, Any

from realservices.kinds.postgres.libpq import NO_FILE, without_libpq
from realservices.system.own_environment import own_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.kinds.postgres.isolation.clone import Clone

_CONNECT_TIMEOUT_S = 10
_hiding = threading.RLock()


def parameters(clone: Clone) -> dict[str, Any]:
    """Return libpq's parameters for a database: over the unix socket where there is one."""
    service = clone.endpoint
    return {
        "host": service.socket or service.host,
        "port": service.port,
        "user": service.user,
        "password": service.password,
        "dbname": clone.name,
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "sslmode": service.sslmode,
        "sslrootcert": service.sslrootcert or NO_FILE,
        **dict.fromkeys(("passfile", "sslcert", "sslkey", "sslcrl"), NO_FILE),
        "gssencmode": "disable",
        # psycopg looks for these in the environment itself.
        "hostaddr": "",
    }


def says_something(descriptor: int) -> bool:
    """Return whether the server has said something unasked: that it ends. `select` takes no file above 1023."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def sever(descriptor: int) -> None:
    """End a connection that a task or thread waits for: there it finds the end, and nothing that it uses is freed."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connected:
        connected.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def without_developers_variables() -> Iterator[None]:
    """Hide libpq's variables from libpq, and from nobody else: `os.environ` stays as it is."""
    environment = own_environment()
    hidden = {name: environment[name] for name in environment.keys() - without_libpq(environment).keys()}
    if not hidden:
        yield
        return
    with _hiding:
        for name in hidden:
            os.unsetenv(name)
        try:
            yield
        finally:
            for name, value in hidden.items():
                os.putenv(name, value)
