"""The layouts that there are, and how files are named in each: which are applied, and in which order.

Where a tool leaves out files whose names it does not know, or that undo, these are told apart: the former are refused,
because a file that is silently not applied is missed later.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import math
import re

from realservices.contract.errors import TemplateError
from realservices.schema.script import Script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Tool: names of files that are applied, with their version first; names of files that undo one.
_NAMES = {
    "db-migrate": (r"(\d+).*-up\.sql", r"\d+.*-down\.sql"),
    "dbmate": (r"(\d+).*\.sql", None),
    "golang-migrate": (r"(\d+)_.*\.up\..*", r"\d+_.*\.down\..*"),
    "goose": (r"(\d+)_.*\.sql", None),
    "node-pg-migrate": (r"(\d+).*\.sql", None),
    "numbered": (r"(\d+).*\.sql", None),
    "postgrator": (r"(\d+)\.do\b.*\.sql", r"\d+\.undo\b.*\.sql"),
    "refinery": (r"[UV](\d+)__.*\.sql", None),
    "sql-migrate": (r"(\d*).*\.sql", None),
    "sqlx": (r"(\d+)_.*?(?<!\.down)\.sql", r"\d+_.*\.down\.sql"),
    "tern": (r"(\d+)_.*\.sql", None),
}
# They order by the text of the name, not by the number in it.
_ALPHABETICAL = {"dbmate", "db-migrate"}
# They know a migration by its name: several may have one number.
_NAMED = {"db-migrate", "node-pg-migrate", "sql-migrate"}
_DATE_DIGITS = len("20240101120000000")
_DIESEL = re.compile(r"(?:.*/)?([^/]+)/(up|down)\.sql")


def by_version(layout: str, files: list[Script]) -> list[Script]:
    """Return the files that a tool applies, in its order, which is that of the numbers in their names.

    Raises:
        TemplateError: A name is none of the tool's, or two files have one version.
    """
    applied, undoing = _NAMES[layout]
    found: list[tuple[float, Script]] = []
    for file in files:
        match = re.fullmatch(applied, file.name)
        if match:
            found.append((_number(layout, match[1]), file))
        elif not (undoing and re.fullmatch(undoing, file.name)):
            raise unknown_name(layout, file, f"names match {applied}" + (f", or {undoing}" if undoing else ""))
    if layout not in _NAMED:
        _refuse_twins(layout, found)
    if layout in _ALPHABETICAL:
        return sorted((file for _, file in found), key=lambda file: file.name)
    return [file for _, file in sorted(found, key=lambda item: (item[0], item[1].name))]


def _number(layout: str, digits: str) -> float:
    """Return what a tool orders by."""
    if not digits:
        # sql-migrate applies names without a number last.
        return math.inf
    if layout == "node-pg-migrate" and len(digits) == _DATE_DIGITS:
        # The others are milliseconds since 1970.
        with contextlib.suppress(ValueError):
            date = datetime.datetime.strptime(digits[:14], "%Y%m%d%H%M%S").replace(tzinfo=datetime.UTC)
            return int(date.timestamp()) * 1000 + int(digits[14:])
    return int(digits)


def _refuse_twins(layout: str, found: list[tuple[float, Script]]) -> None:
    seen: dict[float, Script] = {}
    for version, file in found:
        other = seen.setdefault(version, file)
        if other is not file:
            raise same_version(layout, other, file, version)


def by_directory(files: list[Script]) -> list[Script]:
    """Return Diesel's up.sql of each directory, in the order of their versions."""
    found = []
    for file in files:
        match = _DIESEL.fullmatch(file.shown)
        if not match:
            raise unknown_name("diesel", file, "migrations are NAME/up.sql and NAME/down.sql")
        if match[2] == "up":
            found.append((match[1], file))
    found.sort(key=lambda item: (_diesel_version(item[0]), item[0]))
    _refuse_two_orders([(name, file) for name, file in found if _diesel_version(name).isdigit()])
    return [file for _, file in found]


def _refuse_two_orders(found: list[tuple[str, Script]]) -> None:
    """Refuse directories that Diesel orders by the text of their versions, and Hasura by the number."""
    for (name, file), (next_name, next_file) in itertools.pairwise(found):
        if int(_diesel_version(name)) > int(_diesel_version(next_name)):
            raise TemplateError(
                f"Diesel would apply {file.shown} before {next_file.shown}, as the text of its version comes first, "
                "and Hasura after it, as the number does: have migrations name the files up.sql in their order, one by "
                'one, and write layout = "plain"'
            )


def _diesel_version(directory: str) -> str:
    """Return what Diesel orders by. Projects have both 2017-09-23-182408_name and 20170804200817_name."""
    return directory.partition("_")[0].replace("-", "")


def by_dependency(files: list[Script], needs: Callable[[Script], Iterable[str]]) -> list[Script]:
    """Return yoyo's migrations, each after those that it depends on, else in the order of their names.

    Args:
        files: Those that undo are left out.
        needs: Names of what a file depends on.
    """
    waiting: dict[str, Script] = {}
    for file in sorted(files, key=lambda file: file.name):
        name = file.name.removesuffix(".sql")
        if name.endswith(".rollback"):
            continue
        if name.startswith("post-apply"):
            raise unknown_name("yoyo", file, "yoyo runs it after each run, and not as a migration")
        if name in waiting:
            raise same_version("yoyo", waiting[name], file, name)
        waiting[name] = file
    ordered: list[Script] = []
    done: set[str] = set()
    open_needs = {name: set(needs(file)) for name, file in waiting.items()}
    for name, needed in open_needs.items():
        if missing := needed - waiting.keys():
            raise TemplateError(f"{waiting[name].shown} depends on {', '.join(sorted(missing))}, which is not there")
    while waiting:
        ready = next((name for name in waiting if open_needs[name] <= done), None)
        if ready is None:
            raise TemplateError(f"{', '.join(file.shown for file in waiting.values())} depend on each other")
        ordered.append(waiting.pop(ready))
        done.add(ready)
    return ordered


def same_version(layout: str, one: Script, other: Script, version: object) -> TemplateError:
    """Return the error for two files of which a tool takes but one."""
    return TemplateError(
        f"{one.shown} and {other.shown} have the same version {version}, which {layout} refuses: have migrations name "
        "one of them"
    )


def unknown_name(layout: str, file: Script, expected: str) -> TemplateError:
    """Return the error for a file that a tool would pass over."""
    return TemplateError(
        f"{file.shown} is no file that {layout} applies (layout = {layout!r}): {expected}; rename it, or "
        "take it out of migrations"
    )
