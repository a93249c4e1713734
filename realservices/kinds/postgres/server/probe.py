"""The probe of a PostgreSQL, in its own protocol: a superuser's first login, which sets the random password.

By hand, because a client library costs more to import than the server to start. Source:
https://www.postgresql.org/docs/current/protocol-flow.html
"""

from __future__ import annotations

from realservices.kinds.postgres.databases import own_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket

_PROTOCOL_3_0 = 196608
# From this version on the client's work per login can be made small; the password is random and lives for one test.
_FIRST_WITH_SCRAM_ITERATIONS = 160000
# Whatever the target's own settings log, not the password.
_SILENT = {
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "debug_print_parse": "off",
    "debug_print_rewritten": "off",
    "debug_print_plan": "off",
}


def set_password(connection: socket, user: str, database: str, password: str, server_version_num: int) -> bool:
    """Log in without a password, as the unix socket allows, and set the one that TCP asks for.

    Returns:
        Whether the server did it; it refuses while it starts up or recovers.

    Raises:
        OSError: It hung up or took too long.
    """
    settings = own_settings(server_version_num) | _SILENT
    settings |= {"scram_iterations": "1"} if server_version_num >= _FIRST_WITH_SCRAM_ITERATIONS else {}
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    if not log_in(connection, user=user, database=database, options=options):
        return False
    statement = f"ALTER ROLE \"{user}\" PASSWORD '{password}'".encode() + b"\0"
    connection.sendall(b"Q" + _number(len(statement) + 4) + statement)
    return _is_ready(connection)


def log_in(connection: socket, **parameters: str) -> bool:
    """Log in without a password, as the unix socket allows.

    Args:
        connection: To the unix socket.
        parameters: The start-up message's: ``user``, ``database``, perhaps ``options``.

    Returns:
        Whether the server is ready for queries; it refuses while it starts up or recovers.

    Raises:
        OSError: It hung up or took too long.
    """
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    connection.sendall(_number(len(body) + 8) + _number(_PROTOCOL_3_0) + body)
    return _is_ready(connection)


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _is_ready(connection: socket) -> bool:
    """Read messages up to ReadyForQuery (True) or an error (False)."""
    received = b""
    while True:
        while len(received) >= 5 and len(received) > (length := int.from_bytes(received[1:5], "big")):
            if received[:1] in (b"Z", b"E"):
                return received[:1] == b"Z"
            received = received[length + 1 :]
        more = connection.recv(4096)
        if not more:
            return False
        received += more
