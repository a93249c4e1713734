"""The reference of the pytest plugin: fixtures, what they return, markers and options."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from _pytest.fixtures import FixtureFunctionDefinition

from docs_build.docstrings import as_markdown
from docs_build.markdown import MADE, linked, names
from docs_build.python_page import class_section

_PACKAGE = "realservices."
_WORD = re.compile(r"[A-Z]\w+")
_IMPORT = r"from (realservices\S+) import (?:[^(\n]*|\([^)]*)\b{}\b"
_MARKER = re.compile(r"requires_\w+:|realservices\(|\w+\(limit_s=")
# What the environments have by the keys `http`, `websocket` and `llm`; no fixture returns one alone.
_CLIENTS = (
    ("realservices.clients.http_client", "HttpClient"),
    ("realservices.clients.websocket", "WebSocketClient"),
    ("realservices.clients.llm", "LlmClient"),
)
_EXAMPLE = """
```python
async def test_first(isolated_database):
    assert await isolated_database.fetchval("SELECT 1") == 1
```

Name a fixture as an argument of a test. No import is needed.
"""


class _Collector:
    """A plugin that keeps what ours has registered."""

    def __init__(self) -> None:
        self.fixtures: dict[str, FixtureFunctionDefinition] = {}
        self.markers: list[str] = []
        self.options: list[tuple[str, str]] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Look at what is there when pytest has found that there are no tests."""
        config = session.config
        for plugin in config.pluginmanager.get_plugins():
            if getattr(plugin, "__name__", "").startswith(_PACKAGE):
                self._add_fixtures(plugin)
        self.markers = [line for line in config.getini("markers") if _MARKER.match(line)]
        for group in config._parser._groups:
            for option in group.options if group.name == "realservices" else ():
                self.options.append((f"{option.names()[0]} {option.attrs()['metavar']}", option.attrs()["help"]))
        for name, (text, *_) in config._parser._inidict.items():
            if name.startswith("realservices"):
                self.options.append((f"{name} = …", f"in pytest's configuration: {text}"))

    def _add_fixtures(self, module: object) -> None:
        for value in vars(module).values():
            # pytest has no public way to ask for what `@pytest.fixture` has made.
            if isinstance(value, FixtureFunctionDefinition) and not value.name.startswith("_"):
                self.fixtures[value.name] = value


def fixtures_page() -> str:
    """Return the page of the plugin."""
    found = _collected()
    fixtures = dict(sorted(found.fixtures.items()))
    classes = {each.__name__: each for fixture in fixtures.values() for each in _returned(fixture)}
    classes |= {name: getattr(importlib.import_module(module), name) for module, name in _CLIENTS}
    classes = dict(sorted(classes.items()))
    parts = [
        "# Fixtures",
        MADE,
        _EXAMPLE.strip(),
        f"Fixtures: {names(fixtures)}",
        f"What they return, where it is a class of ours: {names(classes)}",
        "[Markers](#markers), [options](#options)",
        *map(_fixture, fixtures.values()),
        *(class_section(each, level=2, is_given=True) for each in classes.values()),
        "## Markers",
        "\n".join(f"- `{marker.partition(': ')[0]}`: {marker.partition(': ')[2]}" for marker in found.markers),
        "## Options",
        "\n".join(f"- `{name}`: {linked(text)}" for name, text in found.options),
    ]
    return "\n\n".join(parts) + "\n"


def _collected() -> _Collector:
    collector = _Collector()
    with tempfile.TemporaryDirectory() as directory, contextlib.redirect_stdout(io.StringIO()) as said:
        Path(directory, "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        options = ["--collect-only", "-pno:cacheprovider", f"--rootdir={directory}", f"-c{directory}/pytest.ini"]
        pytest.main([*options, "-prealservices.fixtures.plugin", directory], plugins=[collector])
    if not collector.fixtures:
        raise ValueError(f"pytest has no fixture of ours:\n{said.getvalue()}")
    return collector


def _fixture(fixture: FixtureFunctionDefinition) -> str:
    scope = fixture._fixture_function_marker.scope
    lasts = "" if scope == "function" else f"\n\nIts scope is the {scope}."
    return f"## {fixture.name}\n\n{as_markdown(fixture.__doc__)}{lasts}"


def _returned(fixture: FixtureFunctionDefinition) -> list[type[Any]]:
    """Return the classes of ours that a fixture's annotation names, which its module imports for type checkers only."""
    function = fixture._get_wrapped_function()
    module = inspect.getmodule(function)
    source = inspect.getsource(module) if module else ""
    found = []
    for word in _WORD.findall(str(function.__annotations__.get("return", ""))):
        if imported := re.search(_IMPORT.format(word), source):
            found.append(getattr(importlib.import_module(imported[1]), word))
    return found
