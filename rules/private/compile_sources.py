"""Write the archive of the aspect `compiled_python`: modules as the interpreter has them in memory, by name.

Usage: compile_sources.py OUTPUT MEMBERS. In the file MEMBERS is a line NAME=PATH for each source. What does not
compile, as a template of code for instance, is left out: whoever imports it is told by the interpreter.
"""

from __future__ import annotations

import importlib.util
import marshal
import sys
import warnings


def compiled(name: str, path: str) -> bytes:
    """Return a module's code, or nothing where it has an error."""
    with open(path, "rb") as file:
        source = file.read()
    try:
        return marshal.dumps(compile(source, name, "exec", dont_inherit=True))
    except (SyntaxError, ValueError, RecursionError):
        return b""


def write(output: str, modules: dict[str, bytes]) -> None:
    """Write an archive: the version of the code, each module's place in what follows and its size, then all code."""
    index, position = {}, 0
    for name, code in modules.items():
        index[name] = (position, len(code))
        position += len(code)
    with open(output, "wb") as file:
        file.write(importlib.util.MAGIC_NUMBER)
        marshal.dump(index, file)
        file.writelines(modules.values())


def main(output: str, members: str) -> None:
    """Compile what the rule has listed."""
    warnings.simplefilter("ignore")
    with open(members, encoding="utf-8") as file:
        lines = [line.rstrip("\n").partition("=") for line in file]
    modules = {name: compiled(name, path) for name, _, path in lines}
    write(output, {name: code for name, code in modules.items() if code})


if __name__ == "__main__":
    main(*sys.argv[1:])
