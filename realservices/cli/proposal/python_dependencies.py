"""What a project in Python depends on: pyproject.toml as its tools write it, requirements, setup.py, Pipfile, conda."""

from __future__ import annotations

import ast
import configparser
import re
from typing import TYPE_CHECKING, Any

from realservices.cli.proposal.project_files import python_tree, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from realservices.cli.proposal.project_evidence import Evidence

_NAME = re.compile(r"^\s*([A-Za-z0-9][\w.-]*)")
_REQUIREMENTS = ("*requirements*.txt", "*requirements*.in", "requirements/*.txt", "requirements/*.in")
_CONDA = re.compile(r"^\s*-\s*([A-Za-z0-9][\w.-]*)", re.MULTILINE)
_HATCH = ("dependencies", "extra-dependencies")
# Keywords of setup() in a setup.py, and names that people give what they hand over.
_SETUP_LISTS = re.compile(r"\w*(?:requires?|requirements|extras|dependencies|deps)\w*", re.IGNORECASE)


def dependencies_of_python(found: Evidence, pyproject: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name of each dependency, normalised, and the file that has it.

    Args:
        found: The project.
        pyproject: What its pyproject.toml holds.
    """
    for name, file in _named(found, pyproject):
        yield re.sub(r"[-_.]+", "-", name).lower(), file


def _named(found: Evidence, pyproject: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path in sorted({path for pattern in _REQUIREMENTS for path in found.root.glob(pattern)}):
        yield from _each(found.text(path).splitlines(), str(path.relative_to(found.root)))
    yield from _each(_in_pyproject(pyproject), "pyproject.toml")
    yield from _each(_in_setup_cfg(found), "setup.cfg")
    yield from _each(_in_setup(found.text(found.root / "setup.py")), "setup.py")
    pipfile = found.toml("Pipfile")
    for table in ("packages", "dev-packages"):
        yield from _each(table_of(pipfile, table), "Pipfile")
    for path in sorted(found.root.glob("environment*.y*ml")):
        yield from _each(_CONDA.findall(found.text(path)), path.name)


def _each(lines: Iterable[object], file: str) -> Iterator[tuple[str, str]]:
    for line in lines:
        if isinstance(line, str) and (match := _NAME.match(line)):
            yield match[1], file


def _in_pyproject(content: dict[str, Any]) -> Iterator[object]:
    project, tool = table_of(content, "project"), table_of(content, "tool")
    environments = table_of(table_of(tool, "hatch"), "envs").values()
    lists = [
        project.get("dependencies"),
        *table_of(project, "optional-dependencies").values(),
        *table_of(content, "dependency-groups").values(),
        *table_of(table_of(tool, "pdm"), "dev-dependencies").values(),
        table_of(tool, "uv").get("dev-dependencies"),
        *(each.get(key) for each in environments if isinstance(each, dict) for key in _HATCH),
    ]
    for each in lists:
        yield from each if isinstance(each, list) else ()
    poetry = table_of(tool, "poetry")
    groups = [
        table_of(group, "dependencies") for group in table_of(poetry, "group").values() if isinstance(group, dict)
    ]
    for table in (table_of(poetry, "dependencies"), table_of(poetry, "dev-dependencies"), *groups):
        yield from table


def _in_setup_cfg(found: Evidence) -> Iterator[str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(found.text(found.root / "setup.cfg"))
    except configparser.Error as error:
        found.unread.append(f"setup.cfg: {' '.join(str(error).split())}")
        return
    if parser.has_section("options"):
        for key in ("install_requires", "tests_require"):
            yield from parser.get("options", key, fallback="").splitlines()
    if parser.has_section("options.extras_require"):
        for _, value in parser.items("options.extras_require"):
            yield from value.splitlines()


def _in_setup(text: str) -> Iterator[str]:
    """Yield the texts of a setup.py in lists that are called so: nothing of it is run."""
    for node in ast.walk(python_tree(text)):
        if isinstance(node, ast.keyword):
            name, value = node.arg or "", node.value
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
        else:
            continue
        if _SETUP_LISTS.fullmatch(name):
            lists = (each for each in ast.walk(value) if isinstance(each, ast.List | ast.Tuple | ast.Set))
            constants = (each for found in lists for each in found.elts if isinstance(each, ast.Constant))
            yield from (each.value for each in constants if isinstance(each.value, str))
