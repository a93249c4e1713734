"""Warm services in test actions: started outside by the keeper, lent to one action, never to a second one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from realservices.contract.offers import keeper_path, offer_path, present_offers
from tests.launcher.executables import PORT, executable
from tests.launcher.grouped import Group
from tests.launcher.launched import Launched, postgres, redis
from tests.services.queries import redis_call, sql
from tests.sources.offers import await_no_offer, await_offer, end_offers, pids

_NAMES = "SELECT string_agg(name, ' ' ORDER BY id) FROM items"


class Machine:
    """A registry of its own, and test actions that want warm services.

    Args:
        directory: For what the actions write.
        template: Of the PostgreSQL.
    """

    def __init__(self, directory: Path, template: Path) -> None:
        self.directory = directory
        self.template = template
        self.registry = tempfile.mkdtemp(prefix="rsw.", dir="/tmp")
        self.env = {"REALSERVICES_REGISTRY": self.registry, "REALSERVICES_WARM": "1"}
        self._count = 0

    def launch(self, *services: dict[str, Any], env: dict[str, str] | None = None) -> Launched:
        """Return a test action, by default one with a PostgreSQL and a Redis."""
        self._count += 1
        chosen = list(services) or [postgres(), redis()]
        whole = self.env | (env or {})
        return Launched(self.directory / f"run.{self._count}", chosen, template=self.template, env=whole)

    def start_keeper(self) -> subprocess.Popen[str]:
        """Start the keeper, and wait until it listens."""
        keeper = subprocess.Popen(
            _command_line("warm"),
            env={"PATH": os.environ["PATH"], "REALSERVICES_REGISTRY": self.registry},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert keeper.stdout
        assert "keeping services warm" in keeper.stdout.readline()
        return keeper


def _command_line(command: str) -> list[str]:
    archive = Path(os.environ["RUNFILES_DIR"], os.environ["COMMAND_LINE"])
    return [sys.executable, "-I", "-S", "-B", str(archive), "program", "cli.main", "", command]


@pytest.fixture
def machine(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    made = Machine(tmp_path, template)
    monkeypatch.setenv("REALSERVICES_REGISTRY", made.registry)
    yield made
    end_offers()
    shutil.rmtree(made.registry)


@pytest.fixture
def keeper(machine: Machine) -> Iterator[subprocess.Popen[str]]:
    process = machine.start_keeper()
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


@pytest.fixture
def waiting(machine: Machine, keeper: subprocess.Popen[str]) -> dict[str, Any]:
    """Services that wait, because an action has wished for them."""
    with machine.launch() as first:
        assert first.endpoints
        assert first.finish() == 0
    return await_offer("db", "cache")


def _pids(launched: Launched) -> dict[str, int]:
    with launched.control() as control:
        return {name: status["pid"] for name, status in control.ask("status")["services"].items()}


def test_an_action_finds_services_that_run(machine: Machine, waiting: dict[str, Any]) -> None:
    with machine.launch() as launched:
        assert _pids(launched) == pids(waiting)
        assert sql(launched.endpoints["db"]["url"], _NAMES) == "seeded"
        assert launched.program.environment["DATABASE_URL"] == launched.endpoints["db"]["url"]
        # Nothing that the action's own sandbox might hide.
        assert launched.endpoints["db"]["socket"].startswith("/dev/shm/")
        assert launched.finish() == 0
    again = await_offer("db", "cache")
    assert not set(pids(again).values()) & set(pids(waiting).values())
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids(waiting).values())


def test_nothing_of_an_action_is_seen_by_the_next(machine: Machine, waiting: dict[str, Any]) -> None:
    for _ in range(3):
        await_offer("db", "cache")
        with machine.launch() as launched:
            endpoints = launched.endpoints
            assert sql(endpoints["db"]["url"], _NAMES) == "seeded"
            assert redis_call(endpoints["cache"], "DBSIZE") == "0"
            sql(endpoints["db"]["url"], "INSERT INTO items (name) VALUES ('mine')")
            redis_call(endpoints["cache"], "SET", "mine", "1")
            assert launched.finish() == 0


def test_actions_at_once_share_nothing(machine: Machine, waiting: dict[str, Any]) -> None:
    with machine.launch() as first, machine.launch() as second, machine.launch() as third:
        found = [_pids(launched) for launched in (first, second, third)]
        assert pids(waiting) in found
        used = [pid for each in found for pid in each.values()]
        assert len(set(used)) == 6
        assert [launched.finish() for launched in (first, second, third)] == [0, 0, 0]


def test_only_so_many_wait(machine: Machine, waiting: dict[str, Any]) -> None:
    runs = [machine.launch() for _ in range((os.cpu_count() or 1) + 2)]
    for launched in runs:
        launched.__enter__()
    for launched in runs:
        assert launched.endpoints
    for launched in runs:
        assert launched.finish() == 0
        launched.__exit__()
    await_offer("db", "cache")
    assert len(present_offers()) <= (os.cpu_count() or 1)


def test_a_lent_service_can_be_stopped_and_started(machine: Machine, waiting: dict[str, Any]) -> None:
    with machine.launch() as launched:
        with launched.control() as control:
            assert control.ask("stop", service="db") == {"ok": True}
            assert control.state("db") == "stopped"
            assert control.ask("start", service="db") == {"ok": True}
            assert control.ask("wait", services=["db"]) == {"ok": True}
        assert sql(launched.endpoints["db"]["url"], _NAMES) == "seeded"
        assert launched.finish() == 0


def test_a_lent_service_that_dies_fails_the_test(machine: Machine, waiting: dict[str, Any]) -> None:
    with machine.launch() as launched:
        assert launched.endpoints
        os.kill(pids(waiting)["cache"], signal.SIGKILL)
        # Nobody else ends the program, which would go on for ever.
        assert launched.wait() == 137
        assert "service 'cache' (//app:cache) was killed by SIGKILL" in launched.output
        assert '<failure message="was killed by SIGKILL' in launched.written("test.xml")
        assert "Ready to accept connections" in launched.written("outputs/cache.log")


def test_a_lent_service_that_died_may_be_started_again(machine: Machine, waiting: dict[str, Any]) -> None:
    with machine.launch() as launched:
        assert launched.endpoints
        os.kill(pids(waiting)["cache"], signal.SIGKILL)
        launched.await_state("cache", "failed")
        with launched.control() as control:
            assert control.ask("start", service="cache") == {"ok": True}
            assert control.ask("wait", services=["cache"]) == {"ok": True}
        assert launched.finish() == 0


def test_services_end_with_a_killed_launcher(machine: Machine, waiting: dict[str, Any]) -> None:
    with machine.launch() as launched:
        assert _pids(launched) == pids(waiting)
        launched.kill_and_await_guardian()
    again = await_offer("db", "cache")
    assert not set(pids(again).values()) & set(pids(waiting).values())


def test_the_end_of_the_process_that_lends_fails_the_test(machine: Machine, waiting: dict[str, Any]) -> None:
    with machine.launch() as launched:
        assert launched.endpoints
        os.kill(waiting["pid"], signal.SIGKILL)
        assert launched.wait() == 137
        assert "service 'db' (//app:db) has ended with the process that ran the warm services" in launched.output


def test_without_a_keeper_services_are_started_as_ever(machine: Machine) -> None:
    for _ in range(2):
        with machine.launch() as launched:
            assert sql(launched.endpoints["db"]["url"], _NAMES) == "seeded"
            assert launched.finish() == 0
            assert "but nobody keeps any: `bazel run @rules_realservices//tools:warm`" in launched.written("warnings")
    assert present_offers() == []


def test_servers_of_the_users_own_are_never_lent(machine: Machine, keeper: subprocess.Popen[str]) -> None:
    with machine.launch(redis(), executable("app", "listen", PORT, needs=("cache",))) as launched:
        assert launched.endpoints
        assert launched.finish() == 0
    assert present_offers() == []


def test_a_wish_that_means_nothing(machine: Machine) -> None:
    with machine.launch(env={"REALSERVICES_WARM": "yes"}) as launched:
        assert launched.wait() == 1
        assert "REALSERVICES_WARM='yes'; it is one of 1, true, 0, false" in launched.output


def test_whoever_wants_none_gets_none(machine: Machine, waiting: dict[str, Any]) -> None:
    with machine.launch(env={"REALSERVICES_WARM": "0"}) as launched:
        assert _pids(launched) != pids(waiting)
        assert launched.finish() == 0
    assert pids(await_offer("db", "cache")) == pids(waiting)


def test_the_keepers_end_is_the_end_of_what_waits(
    machine: Machine, keeper: subprocess.Popen[str], waiting: dict[str, Any]
) -> None:
    assert keeper.stdout
    assert keeper.stdout.readline() == "ready for the next test: //app:db, //app:cache\n"
    keeper.send_signal(signal.SIGTERM)
    output, _ = keeper.communicate(timeout=30)
    assert keeper.returncode == 0
    assert output == "ended 1 set of services that waited\n"
    assert [path.name for path in Path(machine.registry, "warm").iterdir()] == ["keeper.lock"]
    assert not Path(waiting["directory"]).exists()


def test_clean_ends_what_waits_if_it_is_told_to(machine: Machine, waiting: dict[str, Any]) -> None:
    def clean(*options: str) -> str:
        command = [*_command_line("clean"), *options]
        env = {"REALSERVICES_REGISTRY": machine.registry}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=True).stdout

    (name,) = present_offers()
    clean()
    assert f"would remove    0 bytes  {offer_path(name)}  (warm services that wait)" in clean("--warm", "--dry-run")
    assert pids(await_offer("db", "cache")) == pids(waiting)
    assert f"removed    0 bytes  {offer_path(name)}  (warm services that wait)" in clean("--warm")
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids(waiting).values())


def test_a_second_keeper_is_refused(machine: Machine, keeper: subprocess.Popen[str]) -> None:
    done = subprocess.run(
        _command_line("warm"),
        env={"REALSERVICES_REGISTRY": machine.registry},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert f"process {keeper.pid} keeps services warm already" in done.stderr


@pytest.mark.parametrize("words", [b"", b"[]", b"{}", b"no JSON"])
def test_what_is_no_wish_is_passed_over(machine: Machine, keeper: subprocess.Popen[str], words: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(keeper_path())
        client.sendall(words)
    with machine.launch() as launched:
        assert launched.endpoints
        assert launched.finish() == 0
    await_offer("db", "cache")


def test_a_killed_keeper_has_a_successor(machine: Machine, keeper: subprocess.Popen[str]) -> None:
    keeper.kill()
    keeper.communicate()
    successor = machine.start_keeper()
    successor.send_signal(signal.SIGINT)
    output, _ = successor.communicate(timeout=30)
    assert output == "ended 0 sets of services that waited\n"


def test_a_command_with_a_groups_services_needs_no_keeper(machine: Machine) -> None:
    command = ("exec", "/bin/sh", "-c", "echo $DATABASE_URL $TEST_REDIS_PORT")
    with Group([postgres(), redis()], template=machine.template) as group:
        first = group.run(*command, env=machine.env)
        waiting = await_offer("db", "cache")
        second = group.run(*command, env=machine.env)
        assert (first[0], second[0]) == (0, 0), (first, second)
        assert first[1] != second[1]
        assert pids(await_offer("db", "cache")) != pids(waiting)
        # A group that stays is started as ever: its services live as long as it does.
        with group.start(env=machine.env) as run:
            run.await_output("^//app:services is ready")
            assert pids(await_offer("db", "cache"))
    end_offers()
    await_no_offer()
