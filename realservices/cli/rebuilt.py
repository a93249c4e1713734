"""`validate --reproducible`: build each template twice and say in which table and row, or in which file, they differ.

A template that differs is another input of every test on it: a checkout that has built it finds none of the results
that another one has put into a remote cache.
"""

from __future__ import annotations

import itertools
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.contract.errors import TemplateError
from realservices.contract.template_info import ROLES, STATISTICS
from realservices.sources.declarations import read_project
from realservices.sources.declared_kind import declared_kind
from realservices.sources.package import package_command
from realservices.system.own_environment import own_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.sources.declarations import Declaration
    from realservices.sources.recipe import Recipe

_MOST_FILES = 5
_LONGEST_ROW = 300
_TIMES = (
    "a migration or a seed writes the time or a random value there: now(), random(), a new UUID, or the DEFAULT of a "
    "column. Write a constant; or call setseed() before random() in PostgreSQL, and rand(1) in MariaDB"
)
_PASSWORDS = (
    'PostgreSQL draws a salt for each password. Give the role the verifier that it makes of it ("PASSWORD '
    "'SCRAM-SHA-256$4096:…'\", as pg_authid has it)"
)
_SAMPLES = (
    "of a table with more rows than 300 times its statistics target (30000 by default) the planner looks at a random "
    "sample. Put fewer rows there, or raise the target of one of its columns until all are looked at: ALTER TABLE … "
    "ALTER COLUMN … SET STATISTICS 1000 is for 300000 rows"
)
_UNKNOWN = (
    "no table that is shown has other rows, so it is something else: a definition with a random name, a setting with a "
    "time, or rows in another order"
)


@dataclass(frozen=True, slots=True)
class _Built:
    archive: Path
    info: Path
    contents: Path


def rebuild(declaration: Declaration) -> str:
    """Build a service's template twice.

    Args:
        declaration: One of `services_with_templates`.

    Returns:
        How they differ, with the remedy; "" if they do not.

    Raises:
        RealServicesError: A template cannot be built.
    """
    recipe = declared_kind(declaration.kind).recipe(declaration)
    with tempfile.TemporaryDirectory() as directory:
        first, second = (_build(recipe, Path(directory, name)) for name in ("first", "second"))
        return _difference(first, second)


def services_with_templates(root: Path) -> list[Declaration]:
    """Return the services that a project declares and that have a template.

    Raises:
        RealServicesError: The project's declaration cannot be read.
    """
    declared = read_project(root).services.values()
    return [each for each in declared if declared_kind(each.kind).has_template and not each.is_default]


def _build(recipe: Recipe, directory: Path) -> _Built:
    """Build in a directory of its own, from the very beginning."""
    command = list(recipe.command)
    if recipe.layers:
        base = _build(recipe.layers.base, directory / "base")
        command += ["--base", str(base.archive), "--base-info", str(base.info), "--form", "whole"]
    directory.mkdir(parents=True, exist_ok=True)
    built = _Built(directory / "db.tar", directory / "db.json", directory / "contents")
    command += ["--output", str(built.archive), "--info", str(built.info), "--contents", str(built.contents)]
    done = subprocess.run(
        package_command(*command), cwd=recipe.directory, env=own_environment(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode:
        raise TemplateError(done.stderr.strip() or f"the template tool ended with code {done.returncode}")
    return built


def _difference(first: _Built, second: _Built) -> str:
    names = list(_files_that_differ(first.archive, second.archive))
    if not names and first.info.read_bytes() == second.info.read_bytes():
        return ""
    with first.contents.open(errors="replace") as before, second.contents.open(errors="replace") as after:
        found = next(_rows_that_differ(before, after), None)
    if not found:
        shown = ", ".join(names[:_MOST_FILES]) + (
            f" and {len(names) - _MOST_FILES} more" if len(names) > _MOST_FILES else ""
        )
        return f"built twice, it differs in {shown or 'its description'}: {_UNKNOWN}"
    table, number, rows = found
    shown = "\n".join(f"    {row[:_LONGEST_ROW]}" for row in rows)
    return f"built twice, it differs in {table}, row {number}:\n{shown}\n  {_remedy(table)}"


def _rows_that_differ(first: Iterator[str], second: Iterator[str]) -> Iterator[tuple[str, int, tuple[str, str]]]:
    """Yield table, number and both rows. Statistics follow from rows, so that they come last in both."""
    number, current = 0, ""
    for before, after in itertools.zip_longest(first, second, fillvalue=""):
        table, _, row = (before or after).rstrip("\n").partition("\t")
        number = number + 1 if table == current else 1
        current = table
        if before != after:
            other = after.rstrip("\n").partition("\t")[2] if before else "(absent)"
            yield table, number, (row, other or "(absent)")


def _remedy(table: str) -> str:
    if table == ROLES:
        return _PASSWORDS
    return _SAMPLES if table.startswith(STATISTICS) else _TIMES


def _files_that_differ(first: Path, second: Path) -> Iterator[str]:
    if first.read_bytes() == second.read_bytes():
        return
    with tarfile.open(first) as before, tarfile.open(second) as after:
        members = {member.name: member for member in after}
        for member in before:
            other = members.pop(member.name, None)
            if other is None or _content(before, member) != _content(after, other):
                yield member.name
        yield from members


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[str, bytes]:
    file = archive.extractfile(member) if member.isreg() else None
    return member.linkname, file.read() if file else b""
