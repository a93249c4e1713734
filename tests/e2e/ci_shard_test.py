"""`tools/ci_shard` on a real workspace: no target is lost or run twice, and only what a change affects is selected."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from tests.scratch import ROOT, Workspace

_BUILD = """
load("@rules_realservices//rules:defs.bzl", "real_service_test")

filegroup(name = "data", srcs = glob(["*.txt"]), visibility = ["//visibility:public"])

[
    real_service_test(name = "t%d_test" % n, test = "pass.sh", size = "small", data = [":data"])
    for n in range(3)
]
"""
_OTHER = """
load("@rules_realservices//rules:defs.bzl", "real_service_test")
real_service_test(name = "on_first_test", test = "pass.sh", data = ["//first:data"], test_shards = True, shard_count = 2)
real_service_test(name = "alone_test", test = "pass.sh")
real_service_test(name = "manual_test", test = "pass.sh", tags = ["manual"])
"""
_PASS = '#!/bin/sh\n[ -z "$TEST_SHARD_STATUS_FILE" ] || touch "$TEST_SHARD_STATUS_FILE"\n'
_FIRST = {f"//first:t{n}_test" for n in range(3)}
_ALL = _FIRST | {"//second:on_first_test", "//second:alone_test"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace under git with two packages of tests."""
    workspace = Workspace(tmp_path_factory.mktemp("shards"))
    workspace.module("")
    workspace.write("first/BUILD.bazel", _BUILD)
    workspace.write("second/BUILD.bazel", _OTHER)
    workspace.write("macros/BUILD.bazel", "")
    workspace.write("macros/names.bzl", "NAMES = []\n")
    workspace.write("README.md", "Nothing that a test depends on.\n")
    workspace.write(".gitignore", "bazel-*\nMODULE.bazel.lock\n*.json\n")
    for package in ("first", "second"):
        workspace.write(f"{package}/pass.sh", _PASS).chmod(0o755)
    workspace.write("first/one.txt", "one")
    workspace.write("first/two.txt", "two")
    _git(workspace, "init", "-q", "-b", "main")
    _commit(workspace)
    yield workspace
    workspace.end()


def _git(workspace: Workspace, *arguments: str) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", *identity, *arguments], cwd=workspace.directory, check=True, capture_output=True)


def _commit(workspace: Workspace) -> None:
    _git(workspace, "add", "-A")
    _git(workspace, "commit", "-q", "-m", "state")


def _shard(workspace: Workspace, *arguments: str, directory: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "ci_shard"), *arguments],
        cwd=workspace.directory / directory,
        env={"BAZEL": str(ROOT / "tools" / "bazelw")} | dict(os.environ) | env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _labels(workspace: Workspace, *arguments: str) -> set[str]:
    done = _shard(workspace, "--total", "1", "--index", "0", *arguments)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_machines_run_each_target_once_and_learn_how_long_it_takes(workspace: Workspace) -> None:
    bazel = os.environ.get("BAZEL", str(ROOT / "tools" / "bazelw"))
    tested: list[str] = []
    for index in range(2):
        events = f"--build_event_json_file={workspace.directory}/events{index}.json"
        done = _shard(workspace, "--total", "2", "--index", str(index), "--", *shlex.split(bazel), "test", events)
        assert done.returncode == 0, done.stdout + done.stderr
        tested += re.findall(r"^(//\S+) .*PASSED", done.stdout, re.M)
    assert sorted(tested) == sorted(_ALL)

    files = ("events0.json", "events1.json")
    assert _shard(workspace, "record", "--output", "durations.json", *files).returncode == 0
    known = json.loads((workspace.directory / "durations.json").read_text(encoding="utf-8"))["targets"]
    assert set(known) == _ALL
    assert len(known["//second:on_first_test"]) == 2

    plans = [
        json.loads(_shard(workspace, "--json", "--durations", "durations.json", **env).stdout)
        for env in ({"CI_NODE_TOTAL": "3", "CI_NODE_INDEX": "1"}, {"CIRCLE_NODE_TOTAL": "3", "CIRCLE_NODE_INDEX": "2"})
    ]
    assert plans[0]["plan"] == plans[1]["plan"]
    assert [plan["index"] for plan in plans] == [0, 2]
    assert sorted(label for part in plans[0]["machines"] for label in part) == sorted(_ALL)


def test_patterns(workspace: Workspace) -> None:
    assert _labels(workspace, "//...", "-//first/...") == _ALL - _FIRST
    assert _labels(workspace, "//second:manual_test") == {"//second:manual_test"}
    done = _shard(workspace, "--total", "1", "--index", "0", "//none/...")
    assert done.returncode == 2
    assert "bazel query exited with" in done.stderr


def test_a_machine_without_targets_runs_nothing(workspace: Workspace) -> None:
    pattern = "//second:alone_test"
    for index in ("0", "1"):
        done = _shard(workspace, "--total", "2", "--index", index, pattern, "--", "sh", "-c", "exit 7")
        assert done.returncode == (7 if index == "0" else 0)
    assert "nothing to test on this machine" in done.stderr


def test_machines_with_different_plans_are_told(workspace: Workspace) -> None:
    done = _shard(workspace, "--total", "2", "--index", "0", "--expect", "0123456789abcdef")
    assert done.returncode == 2
    assert "expected was 0123456789abcdef" in done.stderr


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"first/one.txt": "1"}, {*_FIRST, "//second:on_first_test"}),
        ({"first/one.txt": None}, {*_FIRST, "//second:on_first_test"}),
        ({"first/new.txt": "new"}, {*_FIRST, "//second:on_first_test"}),
        ({"second/pass.sh": _PASS + "\n"}, _ALL - _FIRST),
        ({"second/BUILD.bazel": _OTHER + "\n"}, {*_ALL - _FIRST}),
        ({"README.md": "Other words."}, set()),
        ({"macros/names.bzl": "NAMES = [1]\n"}, _ALL),
        ({"first/requirements.lock": "a==1"}, _ALL),
        ({}, set()),
    ],
    ids=lambda value: ",".join(sorted(value)) or "nothing",
)
def test_what_a_change_affects(workspace: Workspace, changed: dict[str, str | None], expected: set[str]) -> None:
    for name, text in changed.items():
        if text is None:
            (workspace.directory / name).unlink()
        else:
            workspace.write(name, text)
    try:
        if changed:
            _commit(workspace)
        assert _labels(workspace, "--affected-since", "HEAD~1" if changed else "HEAD") == expected
    finally:
        if changed:
            _git(workspace, "reset", "-q", "--hard", "HEAD~1")


def test_what_a_change_does_not_affect_costs_a_cache_hit(workspace: Workspace) -> None:
    workspace.write("second/pass.sh", _PASS + "\n")
    _commit(workspace)
    try:
        done = _shard(workspace, "--json", "--total", "2", "--index", "0", "--cached-since", "HEAD~1")
        plan = json.loads(done.stdout)
        assert sorted(label for part in plan["machines"] for label in part) == sorted(_ALL)
        assert max(plan["seconds"]) == pytest.approx(10.0, abs=0.2)
        assert min(plan["seconds"]) < 1.0 or len(plan["machines"][0]) != len(plan["machines"][1])
    finally:
        _git(workspace, "reset", "-q", "--hard", "HEAD~1")


def test_a_revision_that_is_not_here_is_told(workspace: Workspace) -> None:
    done = _shard(workspace, "--total", "1", "--index", "0", "--affected-since", "0" * 40)
    assert done.returncode == 2
    assert "fetch-depth: 0" in done.stderr


def test_outside_of_a_workspace(tmp_path: Path) -> None:
    done = _shard(Workspace(tmp_path), "--total", "1", "--index", "0")
    assert done.returncode == 2
    assert "is in no Bazel workspace" in done.stderr


_PAGE = ROOT / "docs" / "ci.md"
_PIPELINES = dict(re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.M | re.S))
_SCRIPTS = {
    ".github/workflows/test.yml": (lambda job: [step["run"] for step in job["jobs"]["test"]["steps"] if "run" in step]),
    ".gitlab-ci.yml": (lambda job: job["test"]["script"]),
    ".buildkite/pipeline.yml": (lambda job: job["steps"][0]["commands"]),
}
_VARIABLES = {
    ".github/workflows/test.yml": [{"SHARD_TOTAL": "2", "SHARD_INDEX": str(index)} for index in range(2)],
    ".gitlab-ci.yml": [{"CI_NODE_TOTAL": "2", "CI_NODE_INDEX": str(index + 1)} for index in range(2)],
    ".buildkite/pipeline.yml": [
        {"BUILDKITE_PARALLEL_JOB_COUNT": "2", "BUILDKITE_PARALLEL_JOB": str(index)} for index in range(2)
    ],
}


@pytest.mark.parametrize("name", sorted(_SCRIPTS))
def test_the_pipelines_of_the_page_test_everything_once(workspace: Workspace, name: str, tmp_path: Path) -> None:
    """Their commands run as they stand there, with `bazel` and `tools/ci_shard` as in such a repository."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "bazel").write_text(f'#!/bin/sh\nexec {ROOT}/tools/bazelw "$@"\n', encoding="utf-8")
    (programs / "bazel").chmod(0o755)
    (workspace.directory / "durations.json").write_text('{"version": 1, "targets": {}}', encoding="utf-8")
    (workspace.directory / "tools").mkdir(exist_ok=True)
    link = workspace.directory / "tools" / "ci_shard"
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT / "tools" / "ci_shard")
    lines = _SCRIPTS[name](yaml.safe_load(_PIPELINES[name]))  # type: ignore[no-untyped-call]
    tested: list[str] = []
    for variables in _VARIABLES[name]:
        env = dict(os.environ) | variables | {"PATH": f"{programs}:{os.environ['PATH']}", "BAZEL": "bazel"}
        done = subprocess.run(
            ["bash", "-ec", "\n".join(lines)], cwd=workspace.directory, env=env, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        tested += re.findall(r"^(//\S+) .*PASSED", done.stdout, re.M)
    link.unlink()
    assert sorted(tested) == sorted(_ALL)
