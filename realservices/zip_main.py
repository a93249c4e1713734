"""Entry point of the zip files that Bazel makes of this package (rules/private/python_zip.bzl maps it to __main__.py).

``build KIND TOOL …`` is a build action, which makes a template of a kind for instance; ``migrator`` runs one of a
project's own programs for templates; ``program MODULE PATHS …`` is a program of the package (a server of
realservices/programs, the command line) with what it imports; ``serve DIR`` runs services for a test session outside of
Bazel; anything else is the manifest of a test to launch.
"""

from __future__ import annotations

import gc
import os
import sys


def main() -> int:
    """Run the part that the first argument asks for and return its exit code."""
    if sys.argv[1:2] == ["build"]:
        return _run_build(*sys.argv[2:])
    if sys.argv[1:2] == ["migrator"]:
        from realservices.services import migrator_process  # noqa: PLC0415

        return migrator_process.main()
    if sys.argv[1:2] == ["program"]:
        return _run_program(*sys.argv[2:])
    if sys.argv[1:2] == ["serve"]:
        from realservices.launcher.session import serve  # noqa: PLC0415 - as above

        return serve.main(sys.argv[2:])
    # What is imported is never garbage; to look for some meanwhile takes 2 ms of every test's start.
    gc.disable()
    from realservices.launcher import main as launcher  # noqa: PLC0415

    gc.freeze()  # Nor is it looked through later.
    gc.enable()

    return launcher.main(sys.argv[1:])


def _run_build(name: str, tool: str, *arguments: str) -> int:
    from realservices.kinds.registry import find, load  # noqa: PLC0415 - the test side must not pay for it

    kind = find(name)
    code: int = load(kind, kind.build_tools[tool])(list(arguments))
    return code


def _run_program(name: str, paths: str, *arguments: str) -> int:
    from importlib import import_module  # noqa: PLC0415 - the launcher must not pay for it

    sys.path += [path for path in paths.split(":") if path]
    sys.argv = [name, *arguments]
    return import_module(f"realservices.{name}").main() or 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Taking the interpreter apart would add 15 ms to every test; the kernel does it for nothing.
    os._exit(code)
