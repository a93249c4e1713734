"""What a tool would apply, too, beside the files that are named: migrations that are programs, and folders below.

They are looked for where a project's directories can be seen: under Bazel an action has only files that are declared.
"""

from __future__ import annotations

import json
import os
import re

from realservices.contract.errors import TemplateError
from realservices.schema.flyway import letter_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# https://pressly.github.io/goose/documentation/provider/, https://ollycope.com/software/yoyo/latest/ and their like.
_NAMES = {
    "flyway": r"[VR]\d*[\d._]*__.*\.(java|kt|groovy|py)",
    "goose": r"\d+_.*(?<!_test)\.go",
    "node-pg-migrate": r"\d+[_-].*\.[cm]?[jt]s",
    "postgrator": r"\d+\.do\..*\.[cm]?[jt]s",
    "refinery": r"[VU]\d+__.*\.rs",
    "yoyo": r"[^_.].*\.py",
}
_CONFIGURED = re.compile(
    r"^\s*(?:flyway\.)?(?P<key>schemas|defaultSchema|initSql|target|cherryPick|encoding|placeholder(?:Prefix|Suffix)"
    r"|shouldExecute)\s*=\s*(?P<value>.*?)\s*$",
    re.MULTILINE,
)
_AS_BY_DEFAULT = re.compile(r"""[\["' ]*(?:public|utf-?8|latest|\$\{|\}|true|)[\]"' ]*""", re.IGNORECASE)
_JOURNAL = "meta/_journal.json"


def refuse_left_out(layout: str, files: Sequence[tuple[str, str]]) -> None:
    """Refuse files of a tool beside which there is a migration that is a program, or one in a folder below.

    Args:
        layout: Whose files they are.
        files: What each is called in messages, and its path.

    Raises:
        TemplateError: There is one.
    """
    if layout == "flyway":
        _refuse_below(files)
        _refuse_configured(files)
    if not layout:
        _refuse_unlisted(files)
    pattern = _NAMES.get(layout)
    if not pattern:
        return
    for directory, shown in _directories(files):
        for name in sorted(os.listdir(directory)):
            if re.fullmatch(pattern, name):
                raise TemplateError(
                    f"{os.path.join(shown, name)} is a migration that only {layout} itself can run, and the schema "
                    f"would lack what it does: run {layout} (key migrate), or move that file to another directory"
                )


def _refuse_below(files: Sequence[tuple[str, str]]) -> None:
    """Refuse files of Flyway's whose folder has others below, into which it looks as well."""
    named = {path for _, path in files}
    for directory, shown in _directories(files):
        for below, folders, names in os.walk(directory):
            folders[:] = [name for name in folders if name[0] != "." and name != "node_modules"]
            for name in sorted(names):
                path = os.path.join(below, name)
                if below != directory and letter_of(name) in ("V", "R") and path not in named:
                    found = os.path.join(shown, os.path.relpath(path, directory))
                    raise TemplateError(
                        f"{found} is not among migrations, and flyway looks into all folders below {shown or '.'}: "
                        f'write "{os.path.join(shown, "**/*.sql")}", or have migrations name it, too'
                    )


def _refuse_configured(files: Sequence[tuple[str, str]]) -> None:
    """Refuse files of Flyway's beside which it is told to do something else with them."""
    candidates = dict.fromkeys(f"{path}.conf" for _, path in files)
    root = files[0][1].removesuffix(files[0][0]) if files else ""
    for directory, _ in _directories(files):
        above = os.path.relpath(directory, root or ".").split(os.sep)
        for folder in ("conf", *(os.path.join(*above[:depth]) for depth in range(1, len(above) + 1)), ""):
            candidates.update(
                dict.fromkeys(os.path.join(root, folder, name) for name in ("flyway.conf", "flyway.toml"))
            )
    for path in candidates:
        for found in _CONFIGURED.finditer(_content_of(path)):
            if not _AS_BY_DEFAULT.fullmatch(found["value"]):
                raise TemplateError(
                    f"{os.path.relpath(path, root or '.')} says {found.group().strip()}, which psql does not know, so "
                    "that the schema would be another one: run flyway itself (key migrate)"
                )


def _content_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _refuse_unlisted(files: Sequence[tuple[str, str]]) -> None:
    """Refuse files that Drizzle would not apply, or not in this order: it goes by what its journal lists."""
    for directory, shown in _directories(files):
        listed = _listed(os.path.join(directory, _JOURNAL))
        named = [os.path.basename(path).removesuffix(".sql") for _, path in files if os.path.dirname(path) == directory]
        journal = os.path.join(shown, _JOURNAL)
        for name in named if listed is not None else ():
            if name not in (listed or ()):
                raise TemplateError(
                    f"{os.path.join(shown, name)}.sql is not in {journal}, so that drizzle does not apply it: have "
                    'migrations name only files that are, or write layout = "plain", which applies all of them'
                )
        in_order = [name for name in listed or () if name in named]
        if different := next((pair for pair in zip(named, in_order, strict=False) if pair[0] != pair[1]), None):
            raise TemplateError(
                f"{os.path.join(shown, different[0])}.sql would be applied before {different[1]}.sql, and {journal} "
                "has them the other way round: name the files in the journal's order, one by one, in migrations"
            )


def _listed(journal: str) -> list[str] | None:
    """Return the names in a journal of Drizzle's, None if that is none."""
    try:
        with open(journal, encoding="utf-8") as file:
            return [entry["tag"] for entry in json.load(file)["entries"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _directories(files: Sequence[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Return the directories of files, and what these are called in messages."""
    return {os.path.dirname(path): os.path.dirname(shown) for shown, path in files}.items()
