"""(l) What Bazel's analysis of very many targets costs, in time and in its server's memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.bazel import Bazel
from bench.measurements.setting import Setting
from bench.rows import Result, Row
from bench.workspace import cache_directory

LETTER = "l"
TITLE = "analysis of very many targets"
_TARGETS, _QUICK_TARGETS = 10_000, 1_000
_PER_PACKAGE = 20
_SERVICES = 20
_BAR = 1.2

_LOAD = {
    "py_test": 'load("@rules_python//python:py_test.bzl", "py_test")\n',
    "plain": 'load("@rules_realservices//rules:defs.bzl", "real_service_test")\n',
    "with_services": 'load("@rules_realservices//rules:defs.bzl", "real_service_test")\n',
}
_TEST = {
    "py_test": 'py_test(name = "t{i}_test", srcs = ["t{i}_test.py"], deps = [":library"])\n',
    "plain": 'real_service_test(name = "t{i}_test", srcs = ["t{i}_test.py"], deps = [":library"])\n',
    "with_services": 'real_service_test(name = "t{i}_test", srcs = ["t{i}_test.py"], deps = [":library"], '
    'services = ["//services:db_{s}", "//services:cache_{s}"])\n',
}
_SHOWN = {
    "plain": "real_service_test without services",
    "with_services": "real_service_test with PostgreSQL and Redis",
}


class Cost(NamedTuple):
    """What one analysis took: time, processor time of the server, and what its heap has grown by."""

    wall_s: float
    cpu_s: float
    heap_mb: float


def measure(setting: Setting) -> Result:
    """Analyse the same tests as py_test and as ours, each by a new server, in turns."""
    count = _QUICK_TARGETS if setting.is_quick else _TARGETS
    workspace = cache_directory().resolve() / "bench_analysis"
    write_targets(workspace, count, module=(setting.bazel.workspace / "MODULE.bazel").read_text(encoding="utf-8"))
    bazel = setting.bazel.elsewhere(workspace)
    costs: dict[str, list[Cost]] = {kind: [] for kind in _TEST}
    for _ in range(setting.rounds(3, 1)):
        for kind in _TEST:
            costs[kind].append(_one_server(bazel, kind))
    bazel.shutdown()
    samples = {f"{kind}_{unit}": _of(costs[kind], unit) for kind in _TEST for unit in ("wall_s", "cpu_s", "heap_mb")}
    return Result(LETTER, TITLE, list(_rows(count, costs)), samples)


def write_targets(workspace: Path, count: int, *, module: str) -> None:
    """Write a workspace of `count` tests of each kind, 20 to a package with a library on which the next ones depend.

    Args:
        workspace: Where; what is there is written over.
        count: How many tests of each kind.
        module: Its MODULE.bazel.
    """
    _write(workspace / "MODULE.bazel", module)
    for name in ("requirements.lock", "postgres_with_pg_ctl.bzl"):
        _write(workspace / name, (workspace.parent / "bench" / name).read_text(encoding="utf-8"))
    _write(workspace / "BUILD.bazel", 'exports_files(["requirements.lock"])\n')
    _write(workspace / "services/BUILD.bazel", "".join(_services()))
    for kind in _TEST:
        for number in range(-(-count // _PER_PACKAGE)):
            _write(workspace / kind / f"p{number}/BUILD.bazel", "".join(_package(kind, number)))
        _write(workspace / f"first_{kind}/BUILD.bazel", "".join(_package(kind, 0)))


def _package(kind: str, number: int) -> Iterator[str]:
    yield _LOAD[kind]
    yield 'load("@rules_python//python:py_library.bzl", "py_library")\n\n'
    # A tree: a library stands on some ten others.
    deps = f'deps = ["//{kind}/p{(number - 1) // 2}:library"], ' if number else ""
    yield f'py_library(name = "library", srcs = ["library.py"], {deps}visibility = ["//visibility:public"])\n'
    for test in range(_PER_PACKAGE):
        yield _TEST[kind].format(i=test, s=number % _SERVICES)


def _services() -> Iterator[str]:
    yield 'load("@rules_realservices//rules:defs.bzl", "postgres_service", "redis_service")\n\n'
    yield 'package(default_visibility = ["//visibility:public"])\n'
    for number in range(_SERVICES):
        yield f'postgres_service(name = "db_{number}", service_name = "db", migrations = ["{number}.sql"])\n'
        yield f'redis_service(name = "cache_{number}", service_name = "cache")\n'


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _one_server(bazel: Bazel, kind: str) -> Cost:
    """Return what all targets of a kind cost, rulesets and toolchains left out."""
    bazel.shutdown()
    bazel.analyse(f"//first_{kind}/...")
    cpu_s, heap = bazel.cpu_s(), bazel.heap_bytes()
    wall_s = bazel.analyse(f"//{kind}/...")
    return Cost(wall_s, bazel.cpu_s() - cpu_s, (bazel.heap_bytes() - heap) / (1 << 20))


def _of(costs: list[Cost], unit: str) -> list[float]:
    return [getattr(cost, unit) for cost in costs]


def _rows(count: int, costs: dict[str, list[Cost]]) -> Iterator[Row]:
    for unit, name, shown in (("wall_s", "time", "s"), ("cpu_s", "processor time", "s"), ("heap_mb", "memory", "MB")):
        theirs = _of(costs["py_test"], unit)
        yield Row(f"{count} py_tests: {name}", theirs, shown)
        for kind, title in _SHOWN.items():
            ratios = [ours / their for ours, their in zip(_of(costs[kind], unit), theirs, strict=True)]
            yield Row(f"{title}: {name}, of py_test", ratios, "x", bar=_BAR)
