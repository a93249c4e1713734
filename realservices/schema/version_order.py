"""Names whose numbers say another order than the alphabet does: `2.sql` after `10.sql`, `v1.2/` after `v1.10/`."""

from __future__ import annotations

import re

from realservices.contract.errors import TemplateError
from realservices.schema.flyway import letter_of, order_flyway

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from realservices.schema.script import Script

    Remedy = Callable[[str], str]

_NUMBER = re.compile(r"[A-Za-z_]?0*(\d+)")
_VERSION = re.compile(r"[vV]?(\d+(?:[._]\d+)*)(?![\d.])")


def refuse_order(files: Sequence[Script], key: str, remedy: Remedy) -> None:
    """Refuse files in the order of the alphabet where their numbers say another one.

    Files that are named one by one, or by several patterns, in an order of their own are meant so.

    Args:
        files: In the order in which they would be applied.
        key: The attribute that they stand in.
        remedy: Returns what to do about a tool's files.

    Raises:
        TemplateError: The order is not that of the numbers.
    """
    shown = [file.shown for file in files]
    if len(files) > 1 and all(letter_of(file.name) for file in files):
        _refuse_different("", shown, [file.shown for file in order_flyway([*files])], remedy("flyway"))
        return
    single = len({path.rpartition("/")[0] for path in shown}) == 1
    numbered = remedy("numbered") if single else f"name them in their order, one by one, in {key}"
    named = f"name the directories in their order, one by one, in {key}"
    if all(file.name == "up.sql" for file in files):
        named += f"; if they are Diesel's, {remedy('diesel')}"
    for parent, names in _children(shown).items():
        inner = [name for name in names if _VERSION.match(name) and name.endswith("/")]
        _refuse_different(parent, inner, _by_number(inner, _VERSION), named)
        own = [name for name in names if not name.endswith("/")]
        _refuse_different(parent, own, _by_number(own, _NUMBER), numbered)


def _by_number(names: list[str], pattern: re.Pattern[str]) -> list[str]:
    """Return names in the order of their numbers, as they are where one has none or the order is not the alphabet's."""
    numbers = {name: [*map(int, re.split("[._]", match[1]))] for name in names if (match := pattern.match(name))}
    if len(numbers) < len(names) or names != sorted(names):
        return names
    return sorted(names, key=numbers.__getitem__)


def _refuse_different(parent: str, names: list[str], ordered: list[str], remedy: str) -> None:
    different = next(((name, other) for name, other in zip(names, ordered, strict=True) if name != other), None)
    if different:
        name, other = different
        raise TemplateError(
            f"{parent}{name} would be applied before {parent}{other}, although its number comes after: alphabetical "
            f"order is not the order of numbers: {remedy}"
        )


def _children(paths: Sequence[str]) -> dict[str, list[str]]:
    """Return what each directory holds, in order; a directory in it ends with a slash."""
    found: dict[str, dict[str, None]] = {}
    for path in paths:
        parts = path.split("/")
        for index, part in enumerate(parts):
            name = part if index == len(parts) - 1 else f"{part}/"
            found.setdefault("".join(f"{each}/" for each in parts[:index]), {})[name] = None
    return {parent: [*names] for parent, names in found.items()}
