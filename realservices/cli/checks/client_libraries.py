"""The client libraries that tests outside of Bazel use. Under Bazel the ruleset brings its own."""

from __future__ import annotations

import importlib.metadata
import re

from realservices.cli.checks.finding import Finding, warning
from realservices.kinds.registry import find, names

# Distribution, oldest version that serves, extra of the package that brings it (pyproject.toml), and what needs it.
_OTHERS = (
    ("httpx", "0.27", "http", "HTTP clients and language models"),
    ("websockets", "13", "websocket", "WebSocket clients"),
    ("psutil", "5.9", "optimization", "pools that adapt to the machine"),
)


def check_clients() -> list[Finding]:
    """Look up which versions are installed."""
    kinds = [
        _library(library, oldest, kind.name if kind.has_extra else "", f"tests with {kind.title}", kind.is_default)
        for kind in map(find, names())
        for library, oldest in kind.client_libraries.items()
    ]
    return [*kinds, *(_library(*library) for library in _OTHERS)]


def _library(name: str, oldest: str, extra: str, used_for: str, is_expected: bool = True) -> Finding:
    identity = f"client.{name}", name
    meaning = f"Outside of Bazel, {used_for} do not work; bazel test brings a version of its own."
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        if not is_expected:
            return Finding(*identity, f"not installed; only {used_for} need it")
        remedy = f"pip install 'rules-realservices[{extra}]'" if extra else f"pip install '{name}>={oldest}'"
        return warning(*identity, "not installed", meaning=meaning, remedy=remedy)
    if _numbers(version) < _numbers(oldest):
        return warning(
            *identity, f"{version}; {oldest} or newer is needed", meaning=meaning,
            remedy=f"pip install --upgrade '{name}>={oldest}'",
        )  # fmt: skip
    return Finding(*identity, version)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
