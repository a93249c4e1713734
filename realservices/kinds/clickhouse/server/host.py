"""A process that holds ClickHouse's engine, which comes as a shared library: `python -c "…main()" LIBRARY ARGUMENTS`.

The library exports ``clickhouse local`` as a function. It imports next to nothing, because its own start is part of the
engine's: a host written in C would be 10 ms faster, and would need a compiler.
"""

from __future__ import annotations

import ctypes
import os
import sys

from realservices.kinds.clickhouse.engine import INSTALL, complaint_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_EXIT_CANNOT_START = 127


def host_command(library: str, arguments: Sequence[str]) -> list[str]:
    """Return the command that runs `main` with a library and the arguments of ``clickhouse local``."""
    root = __file__.rpartition("/realservices/kinds/")[0]  # A directory, or a zip.
    code = (
        f"import sys; sys.path.insert(0, {root!r}); from realservices.kinds.clickhouse.server.host import main; main()"
    )
    return [sys.executable, "-I", "-S", "-B", "-c", code, library, *arguments]


def main() -> None:
    """Run the engine until its queries end; they do so only where they fail, with a message on standard error."""
    path = sys.argv[1]
    try:
        library = ctypes.CDLL(path, mode=os.RTLD_LAZY | os.RTLD_LOCAL)
        run = library.chdb_query_cmdline
    except (OSError, AttributeError) as error:
        _say(f"{path} is not ClickHouse's engine: {error}. Take the libchdb.so of `{INSTALL}`")
        os._exit(_EXIT_CANNOT_START)
    run.restype = ctypes.c_void_p
    # An engine without this function is too old; what it is called it says in a query, which takes longer.
    version = _text(library, "chdb_version") or _run(library, ["--query=SELECT version()"], "chdb_result_buffer")
    complaint = complaint_of(path, version)
    if complaint:
        _say(complaint)
        os._exit(_EXIT_CANNOT_START)
    # What is wrong with the arguments it does not write; it is in the result.
    _say(_run(library, sys.argv[2:], "chdb_result_error") or "ClickHouse's engine has ended its queries")
    os._exit(1)  # The library's own clean-up is for processes that go on.


def _run(library: ctypes.CDLL, arguments: Sequence[str], what: str) -> str:
    """Run the engine, and return a text of its result."""
    words = [b"clickhouse", *map(os.fsencode, arguments)]
    result = library.chdb_query_cmdline(len(words), (ctypes.c_char_p * (len(words) + 1))(*words, None))
    return _text(library, what, ctypes.c_void_p(result)).strip() if result else ""


def _text(library: ctypes.CDLL, function: str, *arguments: ctypes.c_void_p) -> str:
    """Return what a function of the library says, "" where there is no such function."""
    ask = getattr(library, function, None)
    if ask is None:
        return ""
    ask.restype = ctypes.c_char_p
    return (ask(*arguments) or b"").decode(errors="replace")


def _say(words: str) -> None:
    os.write(2, f"{words}\n".encode())
