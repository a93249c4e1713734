"""Names whose numbers say another order than the alphabet does: `2.sql` after `10.sql`, `v1.2/` after `v1.10/`."""

from __future__ import annotations

import re

from realservices.contract.errors import TemplateError
from realservices.schema.flyway import letter_of, order_flyway

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from realservices.schema.script import Script

    Remedy = Callable[[str], str]

_LEADING = re.compile(r"[A-Za-z_]?0*(\d+)")
# Also within a name: `1.2`, `schema-1.2`, `step_2`, `migration2`; not in `int16`, or `a9f` of a digest.
_NUMBER = re.compile(r"\d+(?![A-Za-z\d])")


def refuse_order(files: Sequence[Script], key: str, remedy: Remedy, *, has_layouts: bool) -> None:
    """Refuse files in the order of the alphabet where their numbers say another one.

    Files that are named one by one, or by several patterns, in an order of their own are meant so.

    Args:
        files: In the order in which they would be applied.
        key: The attribute that they stand in.
        remedy: Returns what to do about a tool's files.
        has_layouts: Whether the service has an attribute ``layout``.

    Raises:
        TemplateError: The order is not that of the numbers.
    """
    shown = [file.shown for file in files]
    if len(files) > 1 and all(letter_of(file.name) for file in files):
        _refuse_flyways(
            files, shown, remedy("flyway") if has_layouts else f"name them in their order, one by one, in {key}"
        )
        return
    single = len({path.rpartition("/")[0] for path in shown}) == 1
    one_by_one = f"in their order, one by one, in {key}"
    directories = f"name the directories {one_by_one}"
    if has_layouts and key == "migrations":
        directories += '; where this order is meant, layout = "plain" applies them in it'
    if all(file.name == "up.sql" for file in files):
        directories += f"; if they are Diesel's, {remedy('diesel')}"
    for parent, names in _children(shown).items():
        inner = [name for name in names if name.endswith("/")]
        own = [name for name in names if not name.endswith("/")]
        is_numbered = has_layouts and single and key == "migrations" and all(name[:1].isdigit() for name in own)
        numbers = [int(match[1]) for name in own if (match := _LEADING.match(name))]
        files_remedy = remedy("numbered") if is_numbered and numbers != sorted(numbers) else f"name them {one_by_one}"
        _refuse_different(parent, inner, _by_number(inner), directories)
        _refuse_different(parent, own, _by_number(own), files_remedy)


def _refuse_flyways(files: Sequence[Script], shown: list[str], remedy: str) -> None:
    ordered = [file.shown for file in order_flyway([*files])]
    if left := next((name for name in shown if name not in ordered), ""):
        raise TemplateError(f"{left} would be applied, and Flyway does not apply it to an empty database: {remedy}")
    _refuse_different("", shown, ordered, remedy)


def _by_number(names: list[str]) -> list[str]:
    """Return names in the order of their numbers, as they are where their order is not the alphabet's."""
    if names != sorted(names):
        return names
    series: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        for before, number in _numbers(name):
            series.setdefault(before, []).append((number, name))
    for before, members in series.items():
        numbers = [number for number, _ in members]
        is_word = before[-1:].isalpha() and len(before) > 1
        if numbers != sorted(numbers) and (not is_word or any(number + 1 in numbers for number in numbers)):
            ordered = iter(name for _, name in sorted(members))
            of_series = {name for _, name in members}
            return [next(ordered) if name in of_series else name for name in names]
    return names


def _numbers(name: str) -> Iterator[tuple[str, int]]:
    """Yield the numbers that a name has, each with what stands before it."""
    leading = _LEADING.match(name)
    if leading:
        yield name[: leading.start(1)].rstrip("0").lower(), int(leading[1])
    for match in _NUMBER.finditer(name, leading.end() if leading else 0):
        yield name[: match.start()], int(match.group())


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
