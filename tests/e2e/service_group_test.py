"""`bazel run` of a service group, as a developer with two terminals does it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal
from tests.scratch import Workspace

_DEADLINE_S = 300.0
_BUILD = """
load(
    "@rules_realservices//rules:defs.bzl",
    "executable_service", "log_ready", "postgres_service", "redis_service", "service_group",
)

postgres_service(name = "db", migrations = ["items.sql"])
redis_service(name = "cache")
executable_service(name = "worker", binary = "worker.sh", ports = [], ready = log_ready("up"), services = [":db"])
service_group(name = "services", services = [":worker", ":cache"], ports = {"db": %d})
"""
_WORKER = "#!/bin/sh\necho up, version 1\nexec sleep 1000\n"


@pytest.fixture(scope="module")
def port() -> int:
    """A port that is free now and that no test leases: the kernel gives it to outgoing connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Workspace]:
    """A workspace with a group of three services."""
    workspace = Workspace(tmp_path_factory.mktemp("group"))
    workspace.module("")
    workspace.write("app/BUILD.bazel", _BUILD % port)
    workspace.write("app/items.sql", "CREATE TABLE items (name text);\nINSERT INTO items VALUES ('migrated');\n")
    workspace.write("app/worker.sh", _WORKER).chmod(0o755)
    yield workspace
    workspace.end()


@contextmanager
def _running(workspace: Workspace, *arguments: str) -> Iterator[Terminal]:
    terminal = Terminal(workspace, *arguments, "//app:services")
    try:
        terminal.await_output(r"//app:services is ready")
        yield terminal
    finally:
        terminal.end()


def test_services_run_until_ctrl_c_and_leave_nothing(workspace: Workspace, port: int) -> None:
    with _running(workspace) as terminal:
        assert re.search(
            rf"^db +postgresql://test:\w+@127\.0\.0\.1:{port}/test  ready in \d+ ms$", terminal.output, re.M
        )
        assert re.search(r"^cache +redis://:\w+@127\.0\.0\.1:\d+/0  ready in \d+ ms$", terminal.output, re.M)
        assert re.search(r"^worker +\(no port\)  ready in \d+ ms$", terminal.output, re.M)
        variables = workspace.output_of("run", "//app:services", "--", "env")
        private = Path(re.findall(r"^export REALSERVICES_RUNTIME='(.*)'$", variables, re.M)[0]).parent
        assert private.exists()
    assert "//app:services has ended" in terminal.output
    assert not private.exists()


def test_a_second_terminal_finds_the_group(workspace: Workspace) -> None:
    count = ("run", "//app:services", "--", "psql", "-XAtqc", "SELECT count(*) FROM items")
    with _running(workspace) as terminal:
        insert = ("psql", "-XAtqc", "INSERT INTO items VALUES ('mine')")
        assert workspace.output_of("run", "//app:services", "--", *insert) == ""
        assert workspace.output_of(*count) == "2\n"
        assert re.search(r"^✓ worker +\(no port\) +ready +process \d+$", _said(workspace, "status"), re.M)
        assert re.fullmatch(r"db is ready in \d+ ms\n", _said(workspace, "restart", "db"))
        assert _said(workspace, "logs", "worker") == "up, version 1\n"
        assert workspace.output_of(*count) == "2\n"
        taken = workspace.bazel("run", "//app:services")
        assert taken.returncode == 1
        assert "//app:services runs already" in taken.stderr
        assert "failed" not in terminal.output
    assert workspace.output_of(*count) == "1\n"
    assert "//app:services does not run" in workspace.error_of("run", "//app:services", "--", "status")


def test_a_command_has_services_of_its_own_and_its_exit_code_is_bazel_s(workspace: Workspace) -> None:
    done = workspace.bazel("run", "//app:services", "--", "exec", "sh", "-c", 'echo "$DATABASE_URL"; pwd; exit 7')
    assert done.returncode == 7, done.stderr
    url, here = done.stdout.splitlines()
    assert url.startswith("postgresql://test:")
    assert here == str(workspace.directory)


def test_what_ibazel_has_built_is_started_again(workspace: Workspace) -> None:
    # As `ibazel run` does: it sets the variable, builds after a change and says so on standard input.
    with _running(workspace, "--run_under=env IBAZEL_NOTIFY_CHANGES=y") as terminal:
        _said(workspace, "psql", "-XAtqc", "INSERT INTO items VALUES ('mine')")
        workspace.write("app/worker.sh", _WORKER.replace("1", "2", 1))
        _build(workspace, terminal)
        terminal.await_output(r"(?s)^worker changed: starting it again$.*^worker +\(no port\)  ready in")
        assert _said(workspace, "logs", "worker") == "up, version 1\nup, version 2\n"
        assert _said(workspace, "psql", "-XAtqc", "SELECT count(*) FROM items") == "2\n"
        workspace.write("app/items.sql", "CREATE TABLE items (name text);\n")
        _build(workspace, terminal)
        terminal.await_output(r"(?s)^db changed: beginning anew$.*//app:services is ready")
        assert _said(workspace, "psql", "-XAtqc", "SELECT count(*) FROM items") == "0\n"


def _build(workspace: Workspace, terminal: Terminal) -> None:
    workspace.output_of("build", "//app:services")
    terminal.tell("IBAZEL_BUILD_COMPLETED SUCCESS\n")


def _said(workspace: Workspace, *words: str) -> str:
    return workspace.output_of("run", "//app:services", "--", *words)
