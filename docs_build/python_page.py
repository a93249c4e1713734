"""The reference of the Python modules that users import."""

from __future__ import annotations

import enum
import importlib
import inspect
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import realservices
from docs_build.docstrings import as_markdown
from docs_build.markdown import MADE, names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

# Started by Python, Bazel or pytest, and not imported.
_NOT_IMPORTED = ("__init__", "__main__", "conftest_comprehensive", "zip_main")


def python_page() -> str:
    """Return the page of the package's public modules."""
    directory = Path(realservices.__file__).parent
    found = sorted(path.stem for path in directory.glob("*.py") if path.stem not in _NOT_IMPORTED)
    modules = {name: importlib.import_module(f"realservices.{name}") for name in found}
    index = f"Modules: {names(module.__name__ for module in modules.values())}"
    sections = [_module(module) for module in modules.values()]
    return "\n\n".join(["# Python modules", MADE, _INTRODUCTION.strip(), index, *sections]) + "\n"


_INTRODUCTION = """
```python
import asyncio

from realservices.isolated_environment_manager import get_isolated_environment_manager


async def main() -> None:
    manager = get_isolated_environment_manager()
    await manager.initialize()
    async with manager.create_test_environment("signup", ["database"]) as resources:
        print(await resources["database"].fetchval("SELECT version()"))
    await manager.shutdown()


asyncio.run(main())
```

Tests need none of these modules: [fixtures](fixtures.md) are there without an import. What is not on this page is not
public.
"""


def class_section(found: type[Any], *, level: int = 3, is_given: bool = False) -> str:
    """Return the section of a class: signature, docstring, then each public method.

    Args:
        found: The class.
        level: Of the section's heading.
        is_given: Whether tests get its instances, and never make one. How one is made is left out then.
    """
    parts = [f"{'#' * level} {found.__name__}"]
    if issubclass(found, enum.Enum):
        return "\n\n".join([*parts, as_markdown(found.__doc__), f"Values: {', '.join(f'`{each}`' for each in found)}"])
    if not is_given and not issubclass(found, BaseException):
        parts.append(_code(_signature(found, found.__name__)))
    methods = list(_methods(found))
    parts.append(as_markdown(found.__doc__, without="Args" if is_given else ""))
    parts += ["Methods:", "\n".join(methods)] if methods else []
    return "\n\n".join(filter(None, parts))


def _module(module: ModuleType) -> str:
    public = getattr(module, "__all__", None) or list(_defined_in(module))
    sections = [_section(name, getattr(module, name)) for name in public]
    head = [f"## {module.__name__}", as_markdown(module.__doc__), f"Public names: {names(public)}"]
    return "\n\n".join([*head, *sections])


def _defined_in(module: ModuleType) -> Iterator[str]:
    for name, value in vars(module).items():
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__:
            yield name


def _section(name: str, value: Any) -> str:
    if inspect.isclass(value):
        return class_section(value)
    return "\n\n".join([f"### {name}", _code(_signature(value, name)), as_markdown(value.__doc__)])


def _methods(found: type[Any]) -> Iterator[str]:
    for name, value in _members(found).items():
        plain = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if isinstance(plain, property):
            yield _item(name, plain.__doc__)
        elif inspect.isroutine(plain):
            awaited = "await " if inspect.iscoroutinefunction(plain) else ""
            yield _item(f"{awaited}{_signature(plain, name)}", plain.__doc__)


def _members(found: type[Any]) -> dict[str, Any]:
    """Return public members that a class or one of our own has defined, without those of other public classes."""
    members: dict[str, Any] = {}
    for owner in found.__mro__:
        if owner.__module__.startswith("realservices."):
            members = {**vars(owner), **members}
    return {name: value for name, value in members.items() if not name.startswith("_")}


def _item(head: str, doc: str | None) -> str:
    return f"- `{head}`\n\n{textwrap.indent(as_markdown(doc), '    ')}\n"


def _signature(value: Any, name: str) -> str:
    try:
        signature = inspect.signature(value)
    except ValueError:  # An exception that takes what every exception takes.
        return name
    parameters = [each for each in signature.parameters.values() if each.name not in ("self", "cls")]
    returned = signature.return_annotation
    if inspect.isclass(value) or returned is None or str(returned) == "None":
        returned = inspect.Signature.empty
    shown = signature.replace(parameters=list(map(_plain, parameters)), return_annotation=_plain_annotation(returned))
    return f"{name}{shown}"


class _Plain:
    """An annotation that is written without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _plain(parameter: inspect.Parameter) -> inspect.Parameter:
    # An object that stands for "not given" is shown by its address, which is another one each time.
    default = _Plain("…") if type(parameter.default) is object else parameter.default
    return parameter.replace(annotation=_plain_annotation(parameter.annotation), default=default)


def _plain_annotation(annotation: object) -> object:
    return _Plain(annotation) if isinstance(annotation, str) else annotation


def _code(text: str) -> str:
    return f"```text\n{text}\n```"
