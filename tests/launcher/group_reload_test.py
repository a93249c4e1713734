"""A group under ibazel: after a build, what it has changed is started again, and nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.running import Running
from tests.launcher.executables import PORT, executable
from tests.launcher.grouped import LABEL, Group
from tests.launcher.launched import postgres, redis
from tests.services.queries import sql

_BUILT = "IBAZEL_BUILD_STARTED\nIBAZEL_BUILD_COMPLETED SUCCESS\n"
_READY = f"^{LABEL} is ready"
_SERVICES = ("app", "cache", "other", "db")


@pytest.fixture
def group(template: Path, tmp_path: Path) -> Iterator[Group]:
    built = Path(shutil.copytree(template, tmp_path / "template"))
    services = [
        postgres(),
        redis(),
        executable("app", "print", "hello", "listen", PORT, needs=("db",)),
        executable("other", program="other"),
    ]
    with Group(services, template=built) as declared:
        yield declared


@pytest.fixture
def run(group: Group) -> Iterator[Running]:
    with group.start(env={"IBAZEL_NOTIFY_CHANGES": "y"}) as running:
        running.await_output(_READY)
        yield running


def _pids(group: Group) -> dict[str, int]:
    """Return the services' processes; all of them must be ready."""
    status = group.run("status")[1]
    pids = {name: int(pid) for name, pid in re.findall(r"^✓ (\w+) .* ready +process (\d+)$", status, re.MULTILINE)}
    assert set(pids) == set(_SERVICES), status
    return pids


def _touch(path: Path) -> None:
    """Change a file as a build does: another one in its instance."""
    new = path.with_name(path.name + ".new")
    shutil.copy(path, new)
    new.rename(path)


def test_a_server_whose_files_changed_is_started_again_and_no_other(group: Group, run: Running) -> None:
    before = _pids(group)
    run.forget()
    _touch(group.program)
    run.tell(_BUILT)
    run.await_output(r"^app changed: starting it again$")
    run.await_output(r"^app +http://127\.0\.0\.1:\d+  ready in \d+ ms$")
    after = _pids(group)
    assert {name for name in _SERVICES if after[name] != before[name]} == {"app"}
    assert "other" not in run.output


def test_a_server_that_has_failed_is_started_again_when_it_has_changed(group: Group, run: Running) -> None:
    os.kill(_pids(group)["app"], signal.SIGKILL)
    run.await_output("service 'app' .* was killed by SIGKILL while the group ran")
    run.forget()
    _touch(group.program)
    run.tell(_BUILT)
    run.await_output(r"^app +http://127\.0\.0\.1:\d+  ready in \d+ ms$")


def test_a_build_that_changed_nothing_or_failed_starts_nothing_again(group: Group, run: Running) -> None:
    before = _pids(group)
    run.tell(_BUILT)
    # The launcher reads that before it answers.
    assert _pids(group) == before
    _touch(group.program)
    run.tell("IBAZEL_BUILD_COMPLETED FAILURE\n")
    assert _pids(group) == before
    run.tell(_BUILT)
    run.await_output(r"(?s)^app changed: starting it again$.*^app +http://127\.0\.0\.1:\d+  ready in")
    assert run.output.count("changed") == 1


def test_a_changed_schema_begins_anew(group: Group, run: Running) -> None:
    url = run.await_output(r"^db +(\S+)  ready in")[1]
    sql(url, "INSERT INTO items (name) VALUES ('mine')")
    before = _pids(group)
    run.forget()
    _touch(group.directory / "runfiles/template/db.tar")
    run.tell(_BUILT)
    run.await_output(r"^db changed: beginning anew$")
    run.await_output(_READY)
    after = _pids(group)
    assert {name for name in _SERVICES if after[name] != before[name]} == set(_SERVICES)
    url = run.await_output(r"^db +(\S+)  ready in")[1]
    assert sql(url, "SELECT count(*) FROM items") == "1"
    run.signal(signal.SIGINT)
    assert run.wait() == 0


def test_a_changed_declaration_begins_anew(group: Group, run: Running) -> None:
    run.forget()
    manifest = json.loads((group.directory / "manifest.json").read_text("utf-8"))
    group.declare([service for service in manifest["services"] if service["name"] != "other"], {})
    run.tell(_BUILT)
    run.await_output(r"^the declaration changed: beginning anew$")
    run.await_output(_READY)
    assert "other" not in group.run("status")[1]


def test_without_ibazel_standard_input_is_left_alone(group: Group) -> None:
    with group.start() as run:
        run.await_output(_READY)
        _touch(group.program)
        run.tell(_BUILT)
        assert group.run("restart", "cache")[0] == 0
        assert "changed" not in run.output
        run.signal(signal.SIGINT)
        assert run.wait() == 0
        assert "changed" not in run.output
