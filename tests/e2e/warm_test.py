"""`bazel test --config=warm` as a developer does it: the keeper in one terminal, tests in Bazel's sandbox in another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal
from tests.scratch import Workspace, copy_of_the_example

_OPTIONS = ("--config=warm", "--nocache_test_results", "--test_env=REALSERVICES_LOGS=always")


@pytest.fixture(scope="module")
def monorepo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A copy of the example."""
    workspace = copy_of_the_example(tmp_path_factory.mktemp("monorepo"))
    yield workspace
    workspace.bazel("shutdown")


def _are_warm(workspace: Workspace, target: str) -> set[bool]:
    """Return whether the services of a target's last run were warm: its services.json tells."""
    outputs = Path(workspace.directory, "bazel-testlogs", *target.removeprefix("//").split(":")).rglob("services.json")
    return {service["warm"] for path in outputs for service in json.loads(path.read_text("utf-8"))["services"]}


def test_sandboxed_tests_find_services_that_run(monorepo: Workspace) -> None:
    keeper = Terminal(monorepo, "@rules_realservices//tools:warm")
    try:
        keeper.await_output("keeping services warm")
        for expected in (False, True, True):
            done = monorepo.bazel("test", "//auth:users_test", *_OPTIONS)
            output = done.stdout + done.stderr
            assert done.returncode == 0, output
            assert re.search(r"processes: .*\b\d+ linux-sandbox", output)
            assert _are_warm(monorepo, "//auth:users_test") == {expected}
            keeper.await_output("ready for the next test: //auth:db")
        done = monorepo.bazel("test", "//backend:api_test", *_OPTIONS)
        assert done.returncode == 0, done.stdout + done.stderr
        # Its server was built by this build: all of its services are started by the test.
        assert _are_warm(monorepo, "//backend:api_test") == {False}
    finally:
        keeper.end()
    assert re.search(r"ended \d+ sets? of services that waited", keeper.output)


def test_without_a_keeper_tests_start_their_own(monorepo: Workspace) -> None:
    done = monorepo.bazel("test", "//auth:users_test", *_OPTIONS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _are_warm(monorepo, "//auth:users_test") == {False}
