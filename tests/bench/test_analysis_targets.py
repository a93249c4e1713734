"""The workspace of very many targets: as many of each kind, in packages that stand on each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.measurements.analysis import Cost, _rows, write_targets


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A written one, of 60 tests of each kind."""
    bench = tmp_path / "bench"
    bench.mkdir()
    for name in ("requirements.lock", "postgres_with_pg_ctl.bzl"):
        (bench / name).write_text(name)
    write_targets(tmp_path / "many", 60, module='module(name = "many")\n')
    return tmp_path / "many"


@pytest.mark.parametrize(
    ("kind", "rule"),
    [("py_test", "py_test("), ("plain", "real_service_test("), ("with_services", "real_service_test(")],
)
def test_each_kind_has_as_many_tests(workspace: Path, kind: str, rule: str) -> None:
    packages = [path.read_text() for path in (workspace / kind).rglob("BUILD.bazel")]
    assert len(packages) == 3
    assert sum(package.count("\n" + rule) for package in packages) == 60
    assert sum(package.count("services = [") for package in packages) == (60 if kind == "with_services" else 0)


def test_libraries_stand_on_each_other_as_a_tree(workspace: Path) -> None:
    package = (workspace / "plain/p2/BUILD.bazel").read_text()
    assert 'deps = ["//plain/p0:library"]' in package


def test_ours_are_judged_by_py_test() -> None:
    costs = {"py_test": [Cost(2, 4, 8)], "plain": [Cost(3, 4, 4)], "with_services": [Cost(2, 6, 8)]}
    ratios = [row.summary.median for row in _rows(10, costs) if row.unit == "x"]
    assert ratios == [1.5, 1, 1, 1.5, 0.5, 1]
