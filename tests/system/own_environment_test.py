"""Programs that one thread starts while another one changes the environment."""

from __future__ import annotations

import ast
import importlib.resources
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from importlib.resources.abc import Traversable

import pytest

from realservices.system.own_environment import own_environment

_NAMES = 2000
_FOR_S = 2.0
# What runs in the process of the tests, beside them.
_FOLDERS = ("contract", "system", "clients", "sources", "isolation", "optimization", "dev", "fixtures")
_STARTS = {"run", "Popen", "call", "check_call", "check_output", "create_subprocess_exec", "create_subprocess_shell"}


@pytest.fixture
def changing_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for number in range(_NAMES):
        monkeypatch.delenv(f"REALSERVICES_TEST_{number}", raising=False)
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for number in range(_NAMES):
                os.environ[f"REALSERVICES_TEST_{number}"] = "v" * (number % 50)
            for number in range(_NAMES):
                del os.environ[f"REALSERVICES_TEST_{number}"]

    thread = threading.Thread(target=change)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.usefixtures("changing_environment")
def test_programs_start_while_the_environment_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_TEST_STAYS", "as it is")
    end = time.monotonic() + _FOR_S
    while time.monotonic() < end:
        done = subprocess.run(
            ["/bin/sh", "-c", "echo $REALSERVICES_TEST_STAYS"],
            capture_output=True,
            text=True,
            check=True,
            env=own_environment(),
        )
        assert done.stdout == "as it is\n"


def _modules(folder: Traversable) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _modules(entry)
        elif entry.name.endswith(".py"):
            yield str(entry), entry.read_text(encoding="utf-8")


def test_every_program_that_the_test_side_starts_gets_an_environment() -> None:
    starts = [
        (path, node)
        for folder in _FOLDERS
        for path, source in _modules(importlib.resources.files("realservices") / folder)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _STARTS
        if ast.unparse(node.func.value) in ("subprocess", "asyncio") and ast.unparse(node.func) != "asyncio.run"
    ]
    assert any(path.endswith("built_templates.py") for path, _ in starts)
    assert [
        f"{path}:{node.lineno}" for path, node in starts if "env" not in {keyword.arg for keyword in node.keywords}
    ] == []
