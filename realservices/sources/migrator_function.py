"""A migrator that is a function of the project: a program that imports it and calls it.

It is run by the project's interpreter as text (`python -c`), from the project's directory, so it imports nothing of
this package: sources/declared_migrators.py passes its source.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys


def main(name: str) -> None:
    """Call ``package.module:function``, and wait for it if it is asynchronous.

    Args:
        name: The function; what follows the colon may have points, too.
    """
    module_name, _, path = name.partition(":")
    found = importlib.import_module(module_name)
    module = found
    for part in path.split("."):
        if not hasattr(found, part):
            file = getattr(module, "__file__", "a namespace package")
            sys.exit(f"{module_name} ({file}) has no {path!r}; correct the name behind the colon in migrate")
        found = getattr(found, part)
    if not callable(found):
        sys.exit(f"{name} is {found!r}, and not a function")
    result = found()
    if inspect.isawaitable(result):
        asyncio.run(_await(result))


async def _await(result: object) -> None:
    await result  # type: ignore[misc]


if __name__ == "__main__":
    main(sys.argv[1])
