"""The package's folders form a chain: a promise of docs/design.md."""

from __future__ import annotations

import ast
import importlib.resources
from collections.abc import Iterator
from importlib.resources.abc import Traversable

import pytest

from realservices.kinds import NAMES

_LAUNCHER_SIDE = ("contract", "system", "control", "schema", "host", "services", "launcher")
_TEST_SIDE = (
    "contract",
    "system",
    "control",
    "schema",
    "clients",
    "sources",
    "isolation",
    "optimization",
    "dev",
    "fixtures",
)
# Server programs run by themselves, also where nothing else of the package can be imported.
_PROGRAMS = ("programs",)
# The report on a run stands alone, but for how foreign data is checked. Bazel's tests do not have it: this module runs outside of Bazel as well.
_REPORT = ("contract", "report", "ci_shard", "actions")
# Tools for people: after everything, on both sides. The test action's archive has neither.
_COMMAND_LINE = ("mocks", "cli")
# Writes a report on a session, of what the fixtures know.
_WRITES_REPORT = "fixtures/session_report.py"


# The modules with names that users import, and the folder whose place in the chain each has.
_PUBLIC = {
    "external_service_integration": "sources",
    "real_services": "isolation",
    "isolated_environment_manager": "isolation",
    "performance_optimization": "optimization",
    "client_factory": "dev",
    "dev_launcher": "dev",
    "real_services_manager": "dev",
    "service_cache": "dev",
    "service_discovery": "dev",
    "conftest_comprehensive": "fixtures",
    "real_service_test_report": "report",
}
# Entry points: each imports the part that it is called for.
_ENTRIES = {"__init__", "__main__", "zip_main"}


def _modules(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _modules(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".py"):
            yield prefix + entry.name, entry.read_text(encoding="utf-8")


_SOURCES = dict(_modules(importlib.resources.files("realservices")))
_KINDS = sorted({path.split("/")[1] for path in _SOURCES if path.startswith("kinds/") and path.count("/") > 1})
# The kind of those who are no database, and of the runner of tests that are programs.
_SERVER_OF_ANY_KIND = "executable"
# The parts of a kind's folder, and the folder of the package whose place in the chain each has.
_PARTS = {
    "kind": "contract",
    "server": "services",
    "template": "services",
    "declared": "sources",
    "sources": "sources",
    "isolation": "isolation",
    "hints": "cli",
    "trial": "cli",
    "validated": "cli",
    "isolated": "isolation",
    "pool": "optimization",
    "pooled": "optimization",
    "fixtures": "fixtures",
}


def _imported_names(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def _place(parts: list[str]) -> str:
    """Return the folder of the package whose place in the chain a module has."""
    if parts[0] != "kinds":
        return _PUBLIC.get(parts[0], parts[0])
    return _PARTS.get(parts[2], "contract") if len(parts) > 2 else "contract"


def _imported_places(source: str) -> set[str]:
    names = _imported_names(source)
    modules = [name.split(".")[1:] for name in names if name.startswith("realservices.")]
    known = {*_LAUNCHER_SIDE, *_TEST_SIDE, *_PROGRAMS, *_REPORT, *_COMMAND_LINE}
    return {_place(parts) for parts in modules if _place(parts) in known}


def test_every_module_has_a_place() -> None:
    top = {path.removesuffix(".py") for path in _SOURCES if "/" not in path}
    assert top <= {*_PUBLIC, *_ENTRIES}  # Bazel's tests do not have all of them.


@pytest.mark.parametrize("path", sorted(path for path in _SOURCES if path.removesuffix(".py") not in _ENTRIES))
def test_a_module_imports_only_what_lies_before_it(path: str) -> None:
    place = _place(path.removesuffix(".py").split("/"))
    if place in _COMMAND_LINE:
        allowed = {*_LAUNCHER_SIDE, *_TEST_SIDE, *_COMMAND_LINE[: _COMMAND_LINE.index(place) + 1]}
    else:
        chain = next(chain for chain in (_LAUNCHER_SIDE, _TEST_SIDE, _PROGRAMS, _REPORT) if place in chain)
        allowed = {*chain[: chain.index(place) + 1], *(["report"] if path == _WRITES_REPORT else [])}
    assert _imported_places(_SOURCES[path]) <= allowed


@pytest.mark.parametrize("kind", _KINDS)
def test_a_kind_imports_no_other(kind: str) -> None:
    imported = {
        name
        for path, source in _SOURCES.items()
        if path.startswith(f"kinds/{kind}/")
        for name in _imported_names(source)
    }
    others = {f"realservices.kinds.{other}" for other in _KINDS if other != kind}
    assert {name for name in imported for other in others if f"{name}.".startswith(f"{other}.")} == set()


@pytest.mark.parametrize("path", sorted(path for path in _SOURCES if not path.startswith(("kinds/", "mocks/"))))
def test_nothing_else_knows_a_kind(path: str) -> None:
    """Tools that read mocks do: they turn each library's into the product that it stands for."""
    found = {f"realservices.kinds.{kind}" for kind in _KINDS}
    assert {name for name in _imported_names(_SOURCES[path]) if ".".join(name.split(".")[:3]) in found} == set()
    texts = {node.value for node in ast.walk(ast.parse(_SOURCES[path])) if isinstance(node, ast.Constant)}
    assert texts & {*_KINDS} - {_SERVER_OF_ANY_KIND} == set()


def test_there_is_a_folder_for_each_kind() -> None:
    assert tuple(_KINDS) == NAMES
