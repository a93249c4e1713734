"""`bazel coverage` of tests in pytest and of a Python server: LCOV of both, line by line, without any download of Bazel's."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.scratch import Workspace

_BAZELRC = """
build --incompatible_strict_action_env
coverage --coverage_output_generator=@rules_realservices//tools:coverage_merger
coverage --coverage_report_generator=@rules_realservices//tools:coverage_merger
coverage --combined_report=lcov
"""
_BUILD = """
load("@rules_python//python:py_binary.bzl", "py_binary")
load("@rules_python//python:py_library.bzl", "py_library")
load("@rules_realservices//rules:defs.bzl", "executable_service", "http_ready", "real_service_test", "redis_service")

py_library(name = "prices", srcs = ["prices.py"])
py_library(name = "answers", srcs = ["answers.py"])
py_binary(name = "shop", srcs = ["shop.py"], deps = [":answers"])
redis_service(name = "cache")
executable_service(
    name = "server",
    args = ["$(port http)"],
    binary = ":shop",
    ready = http_ready("/"),
    services = [":cache"],
)
real_service_test(name = "prices_test", srcs = ["prices_test.py"], deps = [":prices"])
real_service_test(
    name = "server_test",
    srcs = ["server_test.py"],
    env = {"SERVER": "$(url :server)"},
    services = [":server", ":cache"],
    shard_count = 2,
    deps = [":prices"],
)
real_service_test(name = "child_test", srcs = ["child_test.py"], deps = [":prices"])
real_service_test(name = "workers_test", srcs = ["workers_test.py"], args = ["-n2"], deps = [":prices"])
"""
# A number in a comment: how often the line runs at least; 0: never.
_PRICES = """\
def price(items):  # 1
    if not items:  # 1
        return 0  # 1
    total = 0  # 1
    for item in items:  # 1
        total += item  # 1
    return total  # 1


def discount(total):  # 1
    if total > 100:  # 1
        return total * 0.9  # 1
    return total  # 0
"""
_ANSWERS = """\
def answer(path):  # 1
    if path == "/price":  # 1
        return b"42"  # 1
    if path == "/never":  # 1
        return b"no"  # 0
    return b"ok"  # 1
"""
_SHOP = """\
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from app.answers import answer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = answer(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
_PRICES_TEST = """\
from app.prices import price


def test_price():
    assert price([1, 2]) == 3
"""
_SERVER_TEST = """\
import os
import urllib.request

from app.prices import discount


def test_discount():
    assert discount(200) == 180


def test_server():
    with urllib.request.urlopen(os.environ["SERVER"] + "/price") as answer:
        assert answer.read() == b"42"
"""
_CHILD_TEST = """\
import subprocess
import sys


def test_child():
    program = "from app.prices import discount; assert discount(101) > 90"
    subprocess.run([sys.executable, "-c", program], check=True)
"""
_WORKERS_TEST = """\
import os

from app.prices import price


def test_in_a_worker():
    assert "PYTEST_XDIST_WORKER" in os.environ
    assert price([]) == 0
"""
_FILES = {
    ".bazelrc": _BAZELRC,
    "app/BUILD.bazel": _BUILD,
    "app/answers.py": _ANSWERS,
    "app/child_test.py": _CHILD_TEST,
    "app/prices.py": _PRICES,
    "app/prices_test.py": _PRICES_TEST,
    "app/server_test.py": _SERVER_TEST,
    "app/shop.py": _SHOP,
    "app/workers_test.py": _WORKERS_TEST,
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with a server and tests, of which coverage has been collected."""
    workspace = Workspace(tmp_path_factory.mktemp("coverage"))
    workspace.module('bazel_dep(name = "rules_python", version = "1.7.0")\n')
    for name, text in _FILES.items():
        workspace.write(name, text)
    done = workspace.bazel("coverage", "//app/...")
    assert done.returncode == 0, done.stdout + done.stderr
    yield workspace
    workspace.end()


def _lines(workspace: Workspace, report: str) -> dict[str, dict[int, int]]:
    """Return how often each line of each file ran."""
    text = (workspace.directory / report).read_text(encoding="utf-8")
    records = re.findall(r"^SF:(.*)\n((?:(?!end_of_record).*\n)*)", text, re.M)
    assert len(records) == text.count("end_of_record")
    return {name: {int(a): int(b) for a, b in re.findall(r"^DA:(\d+),(\d+)", body, re.M)} for name, body in records}


def _expected(source: str) -> dict[int, bool]:
    lines = enumerate(source.splitlines(), 1)
    return {number: line[-1] != "0" for number, line in lines if re.search(r"# \d$", line)}


def _have_run(counts: dict[int, int]) -> dict[int, bool]:
    return {line: count > 0 for line, count in counts.items()}


def test_all_tests_together_cover_the_lines_that_ran_in_any_process(workspace: Workspace) -> None:
    found = _lines(workspace, "bazel-out/_coverage/_coverage_report.dat")
    assert sorted(found) == ["app/answers.py", "app/prices.py", "app/shop.py"]
    assert _have_run(found["app/prices.py"]) == _expected(_PRICES)
    assert _have_run(found["app/answers.py"]) == _expected(_ANSWERS)
    assert all(_have_run(found["app/shop.py"]).values())


def test_each_test_has_a_report_of_its_own(workspace: Workspace) -> None:
    found = _lines(workspace, "bazel-testlogs/app/prices_test/coverage.dat")
    assert list(found) == ["app/prices.py"]
    assert not any(count for line, count in found["app/prices.py"].items() if line > 10)


def test_processes_that_a_test_starts_are_measured(workspace: Workspace) -> None:
    found = _lines(workspace, "bazel-testlogs/app/child_test/coverage.dat")
    assert _have_run(found["app/prices.py"])[12]


def test_workers_are_measured(workspace: Workspace) -> None:
    found = _lines(workspace, "bazel-testlogs/app/workers_test/coverage.dat")
    assert _have_run(found["app/prices.py"])[3]


def test_branches_are_reported(workspace: Workspace) -> None:
    text = (workspace.directory / "bazel-testlogs/app/prices_test/coverage.dat").read_text(encoding="utf-8")
    assert re.search(r"^BRDA:2,.*,0$", text, re.M)
    assert re.search(r"^BRDA:2,.*,1$", text, re.M)
