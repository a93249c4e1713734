"""Files of definitions (`.frm`, `.TRG`) without when and on which machine they were made.

A table's has an identifier of its own, which is made of the time and the machine's network address: it gets one that
follows from the definition and its place. Views and triggers are texts with times in them.

Source of the formats: table.h (`EXTRA2_TABLEDEF_VERSION`) and unireg.cc, sql_view.cc, sql_trigger.cc of MariaDB.
"""

from __future__ import annotations

import re
import struct

from realservices.kinds.mariadb.template.fixed import FIXED_S, fixed_identifier

_TABLE, _HEADER_BYTES, _LENGTH_AT = b"\xfe\x01", 64, 4
_IDENTIFIER, _IDENTIFIER_BYTES = 0, 16
_VIEW_TIME = re.compile(rb"^(timestamp=)\d+$", re.MULTILINE)
_TRIGGER_TIMES = re.compile(rb"^created=[\d ]+$", re.MULTILINE)
# In microseconds, and in as many digits as the server takes for views.
_TIME = str(FIXED_S * 1_000_000).encode()
_VIEW_DIGITS = 19


def forget_definitions_origin(path: str, name: str) -> None:
    """Let a definition be of no time and machine.

    Args:
        path: The file.
        name: Its path within the data directory.

    Raises:
        OSError: It cannot be read or written.
    """
    with open(path, "rb") as file:
        old = file.read()
    if path.endswith(".TRG"):
        new = _TRIGGER_TIMES.sub(lambda found: b"created=" + b" ".join(_TIME for _ in found[0].split()), old)
    elif old.startswith(_TABLE):
        new = _with_fixed_identifier(old, name)
    else:
        new = _VIEW_TIME.sub(lambda found: found[1] + _TIME.rjust(_VIEW_DIGITS, b"0"), old)
    if new != old:
        with open(path, "wb") as file:
            file.write(new)


def _with_fixed_identifier(definition: bytes, name: str) -> bytes:
    """Replace the identifier in the header's list of kind, length and value."""
    at = _HEADER_BYTES
    end = at + struct.unpack_from("<H", definition, _LENGTH_AT)[0]
    while at + 2 <= end:
        kind, length, at = definition[at], definition[at + 1], at + 2
        if not length:  # A long one.
            length, at = struct.unpack_from("<H", definition, at)[0], at + 2
        if kind == _IDENTIFIER and length == _IDENTIFIER_BYTES:
            rest = definition[:at], definition[at + length :]
            return fixed_identifier(name.encode() + b"\0" + b"".join(rest)).join(rest)
        at += length
    return definition
