"""A second checkout, elsewhere and of somebody else, finds everything in the remote cache; with templates of its own, too.

With REMOTE_CACHE_FULL in the environment all of the example, else a part: templates, tests and shards of it. With
REMOTE_CACHE, an address, that cache, which must not have them yet; else one of its own (http_cache.py).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from realservices.actions.execution_log import read_log
from realservices.actions.log_comparison import compare_logs
from tests.e2e.http_cache import http_cache
from tests.scratch import Workspace, cache_directory, copy_of_the_example

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_IS_FULL = bool(os.environ.get("REMOTE_CACHE_FULL"))
_TESTS = ["//..."] if _IS_FULL else ["//auth:service_test", "//analytics:store_test"]
_TEMPLATES = ["//auth:db", "//analytics:olap"]
_DEADLINE_S = 1800.0
# Local symlinks and the like are in no cache.
_CACHED = ("TestRunner", "RealservicesPostgresTemplate", "RealservicesClickHouseTemplate", "RealservicesZip")


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[str]:
    """Return the options for a cache that is empty."""
    if address := os.environ.get("REMOTE_CACHE"):
        yield f"--remote_cache={address}"
        return
    with http_cache(tmp_path / "http") as address:
        yield f"--remote_cache={address}"


def _checkout(directory: Path) -> Workspace:
    directory.parent.mkdir(parents=True, exist_ok=True)
    return copy_of_the_example(directory)


def _run(workspace: Workspace, command: str, *arguments: str) -> Path:
    """Run Bazel; return its execution log."""
    log = workspace.directory / f"{command}.json"
    done = workspace.bazel(command, *arguments, f"--execution_log_json_file={log}", timeout_s=_DEADLINE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return log


def _misses(log: Path) -> list[str]:
    """Return the actions that were run."""
    return [str(action.name) for action in read_log(log) if action.name.mnemonic in _CACHED and not action.is_cached]


def test_a_second_checkout_runs_nothing(tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _checkout(tmp_path / "first")
    run = _run(first, "test", cache, *_TESTS)
    assert _misses(run)
    first.end()

    monkeypatch.setenv("REALSERVICES_CACHE_DIR", str(cache_directory()))
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("USER", "ada")
    second = _checkout(tmp_path / "elsewhere" / "second")
    # Templates of its own: the same bytes, so that the tests' keys are the same.
    built = _run(second, "build", *_TEMPLATES)
    assert any("Template" in name for name in _misses(built))
    tested = _run(second, "test", cache, *_TESTS)
    assert _misses(tested) == []

    second.bazel("clean")
    again = _run(second, "test", cache, *_TESTS)
    second.end()
    assert _misses(again) == []
    names = [action.name for action in read_log(again)]
    assert {name.mnemonic for name in names} >= {*_CACHED}
    difference = compare_logs(run, again)
    assert difference.is_equal, difference
