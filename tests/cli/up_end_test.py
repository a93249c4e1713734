"""The end of `up`, whatever brings it about: nothing is left, and the next one begins anew."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.development import ask, assert_nothing_is_left, session_of, wait_until
from tests.host.ports import free_port
from tests.host.terminal import opened_terminal

if TYPE_CHECKING:
    from tests.cli.development import Development

_REDIS = '[services.cache]\nkind = "redis"\n'


def _groups(development: Development) -> list[str]:
    return os.listdir(development.directory.parent / "registry" / "groups")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_in_order(development: Development, number: signal.Signals) -> None:
    development.with_servers()
    words = 'args = "--last-words words"'
    development.project.declare(auth=f'{words}\nservices = ["cache"]', backend=f'{words}\nservices = ["auth"]')
    development.append(_REDIS)
    with development.up() as up:
        up.await_ready()
        files = [development.file(name) for name in ("auth", "backend", "cache")]
        assert len(_groups(development)) == 1
        assert up.end(number) == 0
        assert up.output.endswith("ending backend, auth, cache\neverything has ended, nothing of it is left\n")
        assert up.errors == ""
    assert (development.directory / "words").read_text() == "backend\nauth\n"
    assert not development.discovery.exists()
    assert _groups(development) == []
    assert_nothing_is_left(session_of(files[0]), [each["port"] for each in files])


def test_a_second_one_is_told_of_the_first(development: Development) -> None:
    development.project.declare(auth="", backend="")
    with development.up("auth") as up:
        up.await_ready()
        for arguments in ((), ("backend",)):
            done = development.run("up", *arguments)
            assert done.returncode == 1
            assert re.match(
                rf"realservices up: `up` of {development.directory} runs already: process {up.pid}, since "
                rf"\d\d:\d\d:\d\d \(\d+ s\)\. Ctrl-C in its terminal \(or `kill {up.pid}`\) ends it; "
                r"`python -m realservices status` says how its services are",
                done.stderr,
            )
        assert development.states() == {"auth": "healthy"}
        assert up.end() == 0
    with development.up("auth") as up:
        up.await_ready()


def test_a_killed_one_leaves_stale_files_that_the_next_one_replaces(development: Development) -> None:
    development.with_servers()
    port = free_port()
    development.project.declare(auth=f"fixed_ports = {{ http = {port} }}", backend="")
    development.append(_REDIS)
    with development.up() as up:
        up.await_ready()
        killed = [development.file(name) for name in ("auth", "backend", "cache")]
        assert up.end(signal.SIGKILL) == -signal.SIGKILL
        # At once: services of the killed one may still be ending, on the same port.
        with development.up("auth") as second:
            second.await_ready()
            assert development.file("auth")["pid"] == second.pid
            assert development.states() == {"auth": "healthy"}
            assert_nothing_is_left(session_of(killed[0]), [each["port"] for each in killed[1:]])
            assert second.end() == 0
    assert _groups(development) == []


def test_a_stale_file_is_told_by_name(development: Development) -> None:
    development.project.declare(auth="")
    with development.up() as up:
        up.await_ready()
        file = development.file("auth")
        up.end(signal.SIGKILL)
    assert_nothing_is_left(session_of(file), [file["port"]])
    done = development.run("status")
    assert done.returncode == 1
    assert re.match(r"✗ auth  http://127\.0\.0\.1:\d+  stale\n", done.stdout)
    path = development.discovery / "auth.json"
    assert f"process {up.pid}, which started it, has ended without removing {path}\n" in done.stdout
    assert "→ `python -m realservices up` replaces the file, `python -m realservices clean` removes it" in done.stdout
    done = development.run("logs", "auth")
    assert done.returncode == 1
    assert f"process {up.pid}, which started it, has ended, and its log went with it" in done.stderr
    done = development.run("clean", "--dry-run")
    assert f"{path}  (discovery file in this project)" in done.stdout
    assert path.exists()
    done = development.run("clean")
    assert f"{path}  (discovery file in this project)" in done.stdout
    assert "(mark of a service_group or an `up`)" in done.stdout
    assert not development.discovery.exists()
    assert _groups(development) == []


def test_what_runs_is_not_cleaned_away(development: Development) -> None:
    development.project.declare(auth="")
    with development.up() as up:
        up.await_ready()
        assert development.run("clean").returncode == 0
        assert development.states() == {"auth": "healthy"}
        assert len(_groups(development)) == 1
        assert up.end() == 0


def test_the_end_of_the_process_that_runs_the_services(development: Development) -> None:
    development.project.declare(auth="")
    with development.up() as up:
        up.await_ready()
        file = development.file("auth")
        # The parent of the service.
        stat = Path(f"/proc/{development.status()['services'][0]['pid']}/stat").read_text()
        os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)
        assert up.wait() == 1
        assert "realservices up: the process that ran the services has ended (" in up.errors
    assert_nothing_is_left(session_of(file), [file["port"]])
    assert not development.discovery.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start(development: Development, number: signal.Signals) -> None:
    development.project.declare(auth="", backend='args = "--silent"')
    with development.up() as up:
        up.await_output("^auth ")
        file = development.file("auth")
        done = development.run("status")
        assert done.returncode == 1
        assert f"… `up` is still starting services: process {up.pid}, since " in done.stdout
        assert "✓ auth  " in done.stdout
        assert development.status()["up"]["state"] == "starting"
        assert up.end(number) == 130
        assert up.output.endswith("interrupted; nothing is left\n")
    assert_nothing_is_left(session_of(file), [file["port"]])
    assert not development.discovery.exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_interrupted_build_of_a_schema(development: Development, number: signal.Signals, code: int) -> None:
    development.with_servers()
    development.append('[services.db]\nkind = "postgres"\nmigrations = ["endless.sql"]\n')
    # New each time: no earlier run has built it.
    endless = development.directory / "endless.sql"
    endless.write_text(f"-- {endless}\nSELECT pg_sleep(600);\n", encoding="utf-8")
    with development.up() as up:
        up.await_output("^building the schema of db …$")
        works: set[Path] = set()  # One: the tool runs several psql, some for a moment.

        def is_running() -> bool:
            works.update(_socket_directories(endless))
            return bool(works)

        wait_until(is_running, "psql does not run")
        (work,) = works
        assert work.is_dir()
        assert up.end(number) == code
    wait_until(lambda: not _processes_with(str(endless)), "the template tool still runs")
    wait_until(lambda: not work.exists(), f"{work} is still there")


def _socket_directories(file: Path) -> list[Path]:
    """Return where psql finds the server, if it runs for the tool that has been given a file."""
    tools = {process.name for process, _ in _processes_with(str(file))}
    return [
        Path(words[words.index("-h") + 1])
        for process, words in _processes_with("/bin/psql")
        if "-h" in words and set(re.findall(r"^PPid:\s+(\d+)$", (process / "status").read_text(), re.M)) & tools
    ]


def _processes_with(text: str) -> list[tuple[Path, list[str]]]:
    """Return the processes that have a text in their command line, and its words."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
        except (OSError, ValueError):
            continue
        if any(text in word for word in words):
            found.append((process, words))
    return found


def test_a_second_signal_does_not_wait(development: Development) -> None:
    development.project.declare(auth='args = "--stubborn"')
    with development.up() as up:
        up.await_ready()
        file = development.file("auth")
        os.kill(up.pid, signal.SIGTERM)
        up.await_output("^ending auth$")
        assert up.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert_nothing_is_left(session_of(file), [file["port"]])
    assert _groups(development) == []


def test_a_terminal_that_is_closed(development: Development) -> None:
    development.project.declare(auth="")
    environment = development.environment | {"TERM": "xterm"}
    with opened_terminal(development.command("up"), environment, str(development.directory)) as terminal:
        terminal.await_output("auth is ready; Ctrl-C ends it$")
        file = development.file("auth")
        assert terminal.hang_up() == 0
    assert_nothing_is_left(session_of(file), [file["port"]])
    assert not development.discovery.exists()


def test_hang_ups_are_ignored_where_the_user_asks_for_it(development: Development) -> None:
    development.project.declare(auth="")
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # As nohup does; a child inherits it.
    try:
        up = development.up()
    finally:
        signal.signal(signal.SIGHUP, handler)
    with up:
        up.await_ready()
        os.kill(up.pid, signal.SIGHUP)
        assert development.states() == {"auth": "healthy"}
        assert up.end() == 0


def test_nobody_reads_any_more(development: Development) -> None:
    development.project.declare(auth="")
    with development.up("--logs") as up:
        up.await_ready()
        file = development.file("auth")
        up.close_output()
        ask(file, "/say/hello", may_end=True)
        assert up.wait() == 0
        assert up.errors == ""
    assert_nothing_is_left(session_of(file), [file["port"]])


def test_a_service_that_another_launcher_has_started_here(development: Development) -> None:
    development.project.declare(auth="")
    script = """
        async def main():
            async with DevLauncher(LauncherConfig(test_mode=False)):
                print("up", flush=True)
                sys.stdin.read()
    """
    with subprocess.Popen(
        development.project.command(script), cwd=development.directory, env=development.environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout
        assert other.stdout.readline() == "up\n"
        done = development.run("up")
        assert done.returncode == 1
        assert f"service 'auth' was started by process {other.pid}, which still runs. End that first" in done.stderr
        assert development.states() == {"auth": "healthy"}
        other.communicate()
