"""A process that holds ClickHouse's engine, which comes as a shared library: `python -c "…main()" LIBRARY ARGUMENTS`.

The library exports ``clickhouse local`` as a function. It imports next to nothing, because its own start is part of the
engine's: a host written in C would be 10 ms faster, and would need a compiler.
"""

from __future__ import annotations

import ctypes
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_EXIT_CANNOT_START = 127


def host_command(library: str, arguments: Sequence[str]) -> list[str]:
    """Return the command that runs `main` with a library and the arguments of ``clickhouse local``."""
    root = __file__.rpartition("/realservices/services/")[0]  # A directory, or a zip.
    code = f"import sys; sys.path.insert(0, {root!r}); from realservices.services.clickhouse_host import main; main()"
    return [sys.executable, "-I", "-S", "-B", "-c", code, library, *arguments]


def main() -> None:
    """Run the engine until its queries end; they do so only where they fail, with a message on standard error."""
    try:
        run = ctypes.CDLL(sys.argv[1], mode=os.RTLD_LAZY | os.RTLD_LOCAL).chdb_query_cmdline
    except (OSError, AttributeError) as error:
        os.write(2, f"{sys.argv[1]} is not ClickHouse's engine: {error}\n".encode())
        os._exit(_EXIT_CANNOT_START)
    arguments = [b"clickhouse", *map(os.fsencode, sys.argv[2:])]
    run.restype = ctypes.c_void_p
    run(len(arguments), (ctypes.c_char_p * (len(arguments) + 1))(*arguments, None))
    os._exit(1)  # The library's own clean-up is for processes that go on.
