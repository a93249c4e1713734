"""The workspace that the benchmark builds in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bench
from bench.workspace import cache_directory, write_workspace

_BENCH = Path(bench.__file__).parent
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    lock = tmp_path / "checkout/third_party/python/requirements.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("pytest==1 --hash=sha256:0\n", encoding="utf-8")
    return tmp_path / "checkout"


def test_it_depends_on_the_checkout_by_path(tmp_path: Path, checkout: Path) -> None:
    write_workspace(tmp_path / "workspace", checkout=checkout)

    assert f'path = "{checkout}"' in (tmp_path / "workspace/MODULE.bazel").read_text(encoding="utf-8")
    assert (tmp_path / "workspace/target/BUILD.bazel").is_file()
    assert (tmp_path / "workspace/.bazelrc").is_file()


def test_its_lock_has_the_rulesets_packages_and_the_benchmarks_own(tmp_path: Path, checkout: Path) -> None:
    write_workspace(tmp_path / "workspace", checkout=checkout)

    names = _LOCKED.findall((tmp_path / "workspace/requirements.lock").read_text(encoding="utf-8"))
    assert {"pytest", "pytest-postgresql", "psycopg"} <= set(names)
    assert len(names) == len(set(names))


def test_an_unchanged_file_is_left_alone_and_a_stale_one_removed(tmp_path: Path, checkout: Path) -> None:
    workspace = tmp_path / "workspace"
    write_workspace(workspace, checkout=checkout)
    before = (workspace / "BUILD.bazel").stat().st_mtime_ns
    (workspace / "target/BUILD.bazel").write_text("changed", encoding="utf-8")
    (workspace / "gone").mkdir()
    (workspace / "gone/BUILD.bazel").write_text("", encoding="utf-8")

    write_workspace(workspace, checkout=checkout)

    assert (workspace / "BUILD.bazel").stat().st_mtime_ns == before
    assert (workspace / "target/BUILD.bazel").read_text(encoding="utf-8") != "changed"
    assert not (workspace / "gone/BUILD.bazel").exists()


def test_no_directory_below_this_repository_becomes_a_package_by_it() -> None:
    assert [path for path in (_BENCH / "workspace").rglob("*") if path.name in ("BUILD", "BUILD.bazel")] == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"REALSERVICES_CACHE_DIR": "/own", "XDG_CACHE_HOME": "/xdg", "HOME": "/home"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg", "HOME": "/home"}, "/xdg/rules_realservices"),
        ({"HOME": "/home"}, "/home/.cache/rules_realservices"),
    ],
)
def test_the_cache_directory_is_that_of_the_other_tools(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REALSERVICES_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_directory() == Path(expected)
