"""Files whose names say that they undo a migration, or belong to a tool that does more with them than psql."""

from __future__ import annotations

import re

from realservices.contract.errors import TemplateError
from realservices.schema.flyway import CALLBACK, first_placeholder, letter_of
from realservices.schema.script import APPLIED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from realservices.schema.script import Script

    _Words = Sequence[tuple[str, Sequence[str]]]

_NAMES = (
    ("golang-migrate", re.compile(r"\d+_.*\.down\.sql")),
    ("diesel", re.compile(r"down\.sql")),
    ("db-migrate", re.compile(r"\d+.*-down\.sql")),
    ("postgrator", re.compile(r"\d+\.undo\b.*\.sql")),
    ("yoyo", re.compile(r".*\.rollback\.sql")),
    ("flyway", re.compile(r"U\d[\d._]*__.*\.sql")),
)
# A word that undoes, and what stands in its place in the name of the file that it undoes.
_WORDS = (
    ("down", ("up", "")), ("undo", ("do", "")), ("rollback", ("up", "migrate", "")), ("revert", ("deploy", "up", "")),
    ("downgrade", ("upgrade", "")), ("backward", ("forward", "")), ("uninstall", ("install", "")),
    ("teardown", ("setup", "")),
)  # fmt: skip
# A folder, or the beginning of a name, that says the same.
_FOLDER = re.compile(r"(^|/)(?:down|undo|rollback|revert|downgrade)s?/")
_BEGINNING = re.compile(r"(^|/)(?:down|undo|rollback|revert|downgrade)[._-](?=[^/]*$)")
# Files that drop something may well come first, and make room for what follows.
_AFTER = ("drop", ("create",))


def refuse_names(files: Sequence[Script], remedy: Callable[[str], str]) -> None:
    """Refuse files that psql should not run, or not so, by their names.

    Args:
        files: In the order in which they would be applied.
        remedy: Returns what to do about a tool's files.

    Raises:
        TemplateError: A file has such a name.
    """
    shown = {file.shown.lower() for file in files}
    for file in files:
        tool = next((tool for tool, pattern in _NAMES if pattern.fullmatch(file.name)), "")
        if tool == "diesel" and f"{file.shown.lower().removesuffix('down.sql')}up.sql" not in shown:
            tool = ""
        if tool:
            what = f"{file.shown} has the name of a file that undoes a migration, as {tool} calls them"
            raise TemplateError(f"{what}, and would be run, too: {remedy(tool)}")
    _refuse_flyway(files, remedy)


def refuse_pairs(files: Sequence[Script]) -> None:
    """Refuse a file whose name says that it undoes another one, in nobody's layout.

    Raises:
        TemplateError: There is one.
    """
    shown = {file.shown.lower() for file in files}
    before: set[str] = set()
    applied = next((file.shown for file in files if not _FOLDER.search(file.shown.lower())), "")
    for file in files:
        name = file.shown.lower()
        if undone := _undone(name, shown, _WORDS) or _undone(name, before, (_AFTER,)):
            raise TemplateError(
                f"{file.shown} has the name of a file that undoes {undone}, and would be run, too: have migrations "
                'name only the files that are to be applied; layout = "plain" applies all of them'
            )
        if applied and _FOLDER.search(name):
            raise TemplateError(
                f"{file.shown} lies in a folder of files that undo others, such as {applied}, and would be run, too: "
                'have migrations name only the files that are to be applied; layout = "plain" applies all of them'
            )
        before.add(name)


def _undone(name: str, names: set[str], words: _Words) -> str:
    """Return the file that another one undoes, by its name; empty: none."""
    if name.rpartition("/")[2] == "down.sql":
        beside = (other for other in names if other.rpartition("/")[0] == name.rpartition("/")[0] and other != name)
        return next(beside, "")
    for pattern in (_FOLDER, _BEGINNING):
        if (done := pattern.sub(r"\1", name)) != name and done in names:
            return done
    for word, others in words:
        for other in others:
            found = rf"(?<![a-z]){word}(?![a-z])" if other else rf"[._-]{word}(?![a-z])"
            if (done := re.sub(found, other, name)) != name and done in names:
                return done
    return ""


def _refuse_flyway(files: Sequence[Script], remedy: Callable[[str], str]) -> None:
    versioned = [file for file in files if letter_of(file.name) == "V"]
    callback = next((file for file in files if CALLBACK.fullmatch(file.name)), None)
    if versioned and callback:
        raise TemplateError(
            f"{callback.shown} has the name of a callback, which flyway runs before or after others, and would be run "
            f"in the order of names: {remedy('flyway')}"
        )
    for file in versioned:
        if file.kind != APPLIED and (found := first_placeholder(file)):
            raise TemplateError(
                f"{file.shown}, line {found[0]}: flyway would put a value of its configuration in place of "
                f"{found[1]}: {remedy('flyway')}"
            )
