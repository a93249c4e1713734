"""The client libraries that tests outside of Bazel use. Under Bazel the ruleset brings its own."""

from __future__ import annotations

import contextlib
import importlib.metadata
import re

from realservices.cli.checks.finding import Finding, warning
from realservices.contract.errors import RealServicesError
from realservices.kinds.registry import find, names
from realservices.sources.declarations import read_project
from realservices.sources.declared_kind import declared_kind
from realservices.sources.errors import MissingServiceError
from realservices.sources.project import project_root
from realservices.sources.variables import external_kinds

# Distribution, oldest version that serves, extra of the package that brings it (pyproject.toml), and what needs it.
_OTHERS = (
    ("httpx", "0.27", "http", "HTTP clients and language models"),
    ("websockets", "13", "websocket", "WebSocket clients"),
    ("psutil", "5.9", "optimization", "pools that adapt to the machine"),
)


def check_clients() -> list[Finding]:
    """Look up which versions are installed, and complain of those that this project's tests need."""
    needed = _needed()
    kinds = [
        _library(library, oldest, kind.name if kind.has_extra else "", f"tests with {kind.title}", kind.name in needed)
        for kind in map(find, names())
        for library, oldest in kind.client_libraries.items()
    ]
    return [*kinds, *(_library(*library, library[2] in needed) for library in _OTHERS)]


def _needed() -> set[str]:
    """Return kinds, and what else tests speak: what the project declares, and what there is a server for."""
    kinds = [kind for kind in map(find, names()) if kind.trial and kind.client_libraries]
    found = {*external_kinds(), *(kind.name for kind in kinds if _has_server(kind.name))}
    with contextlib.suppress(RealServicesError):  # Another line says what is wrong with it.
        for declaration in read_project(project_root()).services.values():
            if not declaration.is_default:
                found |= {declaration.kind, *declaration.speaks}
    return found


def _has_server(kind: str) -> bool:
    try:
        declared_kind(kind).find_program()
    except RealServicesError as error:
        return not isinstance(error, MissingServiceError)
    return True


def _library(name: str, oldest: str, extra: str, used_for: str, is_needed: bool) -> Finding:
    identity = f"client.{name}", name
    meaning = f"Outside of Bazel, {used_for} do not work; bazel test brings a version of its own."
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        remedy = f"pip install 'rules-realservices[{extra}]'" if extra else f"pip install '{name}>={oldest}'"
        if not is_needed:
            return Finding(*identity, f"not installed; only {used_for} need it: {remedy}")
        return warning(*identity, "not installed", meaning=meaning, remedy=remedy)
    if _numbers(version) < _numbers(oldest):
        return warning(
            *identity, f"{version}; {oldest} or newer is needed", meaning=meaning,
            remedy=f"pip install --upgrade '{name}>={oldest}'",
        )  # fmt: skip
    return Finding(*identity, version)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
