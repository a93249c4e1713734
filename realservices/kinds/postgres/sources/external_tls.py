"""Whether an external PostgreSQL is spoken to over TLS: by TEST_POSTGRES_SSLMODE, never by PGSSLMODE."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from realservices.sources.errors import SettingError

if TYPE_CHECKING:
    import socket

SSLMODE, SSLROOTCERT = "TEST_POSTGRES_SSLMODE", "TEST_POSTGRES_SSLROOTCERT"
PREFER = "prefer"
_VERIFYING = ("verify-ca", "verify-full")
_MODES = ("disable", PREFER, "require", *_VERIFYING)
# https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest.
_SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"


def postgres_tls() -> tuple[str, str]:
    """Return libpq's parameters sslmode and sslrootcert, as the environment wants them.

    Raises:
        SettingError: A variable does not say what it should.
    """
    sslmode, sslrootcert = os.environ.get(SSLMODE) or PREFER, os.environ.get(SSLROOTCERT, "")
    if sslmode not in _MODES:
        raise SettingError(f"{SSLMODE}={sslmode!r} is none of {', '.join(_MODES)}")
    if sslmode in _VERIFYING and not sslrootcert:
        raise SettingError(
            f"{SSLMODE}={sslmode} needs {SSLROOTCERT}: the path of the certificates to trust; or, with verify-full, "
            "'system' for those of this machine"
        )
    if sslrootcert and sslmode not in ("require", *_VERIFYING):
        raise SettingError(f"{SSLROOTCERT}={sslrootcert!r} has no effect with {SSLMODE}={sslmode}: take verify-full")
    if sslrootcert == "system" and sslmode != "verify-full":
        raise SettingError(f"{SSLROOTCERT}=system is safe with {SSLMODE}=verify-full only, which is {sslmode}")
    if sslrootcert not in ("", "system"):
        _check_readable(sslrootcert)
    return sslmode, sslrootcert


def agreed(connection: socket.socket) -> str:
    """Ask a server whether it speaks TLS; return the sslmode to go on with. One that says nothing sensible does not.

    asyncpg can only be told to prefer TLS in a way that reads the developer's certificates.
    """
    try:
        connection.sendall(_SSL_REQUEST)
        return PREFER if connection.recv(1) == b"S" else "disable"
    except OSError:
        return "disable"


def _check_readable(path: str) -> None:
    import ssl  # noqa: PLC0415 - 10 ms, for those who name certificates

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:  # ssl.SSLError is one.
        raise SettingError(f"{SSLROOTCERT}={path!r} cannot be read as certificates: {error}") from None
