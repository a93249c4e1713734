"""`status`: how services are, whoever has started them here."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from realservices.control.client import BlockingServiceControl
from tests.cli.development import ask

if TYPE_CHECKING:
    from tests.cli.development import Development


def test_nothing_runs(development: Development) -> None:
    done = development.run("status")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        f"nothing runs here: {development.discovery} has no discovery file. `python -m realservices up` starts this "
        "project's services\n"
    )
    content = development.status()
    assert content == {
        "version": 1, "verdict": "error", "discovery": str(development.discovery), "up": None, "services": [],
    }  # fmt: skip


def test_damaged_files_are_told_and_not_in_the_way(development: Development) -> None:
    development.project.declare(auth="")
    with development.up() as up:
        up.await_ready()
        directory = development.discovery
        (directory / "deep.json").write_text("[" * 100_000, encoding="utf-8")
        (directory / "esc\x1b]0;x\x07\udcff.json").write_text('{"port": "\\u001b[2J"}', encoding="utf-8")
        os.mkfifo(directory / "fifo.json")
        states = {"auth": "healthy", "deep": "damaged", "esc\x1b]0;x\x07\udcff": "damaged", "fifo": "damaged"}
        assert development.states() == states
        done = development.run("status")
        assert (done.returncode, done.stderr) == (1, "")
        assert not [each for each in done.stdout if each < " " and each != "\n"]
        assert r"✗ esc\x1b]0;x\x07\udcff  (no port)" in done.stdout
        assert "it is nested too deeply" in done.stdout
        assert r"port is '\x1b[2J', not a whole number" in done.stdout
        assert development.run("logs", "auth").returncode == 0
        assert development.run("clean", "--dry-run").returncode == 0
        refused = development.run("logs", "esc\x1b]0;x\x07")
        assert refused.returncode == 1
        assert not [each for each in refused.stderr if each < " " and each != "\n"]


def test_all_are_well(development: Development) -> None:
    development.with_servers()
    development.project.declare(auth="")
    development.append('[services.cache]\nkind = "redis"\n')
    with development.up() as up:
        up.await_ready()
        done = development.run("status")
        assert (done.returncode, done.stderr) == (0, "")
        auth, cache = done.stdout.splitlines()
        pattern = r"✓ auth   http://127\.0\.0\.1:\d+ +  healthy    process \d+, up \d+ s"
        assert re.fullmatch(pattern, auth)
        assert re.fullmatch(r"✓ cache  redis://127\.0\.0\.1:\d+/0  healthy    process \d+, up \d+ s", cache)
        content = development.status()
        assert (content["verdict"], content["up"]["pid"], content["up"]["state"]) == ("ok", up.pid, "up")
        service = content["services"][0]
        file = development.file("auth")
        uptime_s = service.pop("uptime_s")
        assert uptime_s >= 0
        pid = service.pop("pid")
        assert f"--port\0{file['port']}\0".encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert service == {
            "name": "auth", "state": "healthy", "url": file["base_url"], "detail": "", "remedy": "",
            "kind": "executable", "ports": {"http": file["port"]}, "log": file["log"],
        }  # fmt: skip
        assert "password" not in json.dumps(content)


def test_a_sick_one(development: Development) -> None:
    development.project.declare(auth='args = "--sick sick"', backend="")
    with development.up() as up:
        up.await_ready()
        (development.directory / "sick").touch()
        done = development.run("status")
        assert done.returncode == 1
        assert re.search(r"^✗ auth     http://\S+  unhealthy  process \d+$", done.stdout, re.MULTILINE)
        assert re.search(r"^ +http://\S+/health answers with status 503$", done.stdout, re.MULTILINE)
        assert re.search(r"^✓ backend  ", done.stdout, re.MULTILINE)
        (development.directory / "sick").unlink()
        assert development.states() == {"auth": "healthy", "backend": "healthy"}


def test_one_that_has_ended(development: Development) -> None:
    development.project.declare(auth="", backend="")
    with development.up() as up:
        up.await_ready()
        ask(development.file("auth"), "/end", may_end=True)
        up.await_error("exited with code 3")
        done = development.run("status")
        assert done.returncode == 1
        assert re.search(r"^✗ auth     http://\S+  failed$", done.stdout, re.MULTILINE)
        assert "exited with code 3 while the session ran" in done.stdout
        assert "    auth serves\n" in done.stdout
        assert "→ `python -m realservices logs auth` has all that it wrote" in done.stdout
        assert development.states() == {"auth": "failed", "backend": "healthy"}


def test_one_that_somebody_stops_pauses_and_starts(development: Development) -> None:
    development.project.declare(auth="", backend="")
    with development.up() as up:
        up.await_ready()
        control = BlockingServiceControl(development.file("auth")["control"])
        control.pause("auth")
        up.await_output("^auth     is paused$")
        assert development.states() == {"auth": "paused", "backend": "healthy"}
        control.resume("auth")
        up.await_output("^auth     is ready$")
        control.stop("auth")
        up.await_output("^auth     is stopped$")
        assert development.states() == {"auth": "stopped", "backend": "healthy"}
        control.start("auth")
        up.await_output("(?s)is stopped$.*^auth     is ready$")
        assert development.states() == {"auth": "healthy", "backend": "healthy"}
        assert up.end() == 0


def test_files_of_other_programs(development: Development) -> None:
    development.discovery.mkdir()
    (development.discovery / "broken.json").write_text("{", encoding="utf-8")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (development.discovery / "own.json").write_text(json.dumps({"port": port}), encoding="utf-8")
        done = development.run("status")
        assert done.returncode == 1
        assert f"✓ own     http://127.0.0.1:{port}  healthy\n" in done.stdout
        assert re.search(r"^✗ broken  \(no port\) +  damaged$", done.stdout, re.MULTILINE)
        assert "broken.json does not say where service 'broken' is" in done.stdout
        assert "→ remove the file\n" in done.stdout
        (development.discovery / "broken.json").unlink()
        assert development.run("status").returncode == 0
    assert development.states() == {"own": "unhealthy"}
    assert "cannot be reached: " in development.status()["services"][0]["detail"]


@pytest.mark.parametrize("command", ["status", "up"])
def test_a_directory_of_choice(development: Development, command: str) -> None:
    elsewhere = development.directory.parent / "elsewhere"
    development.environment["REALSERVICES_DISCOVERY_DIR"] = str(elsewhere)
    development.project.declare(auth="")
    if command == "status":
        assert development.status()["discovery"] == str(elsewhere)
        return
    with development.up() as up:
        up.await_ready()
        assert [path.name for path in elsewhere.iterdir()] == ["auth.json"]
        assert development.states() == {"auth": "healthy"}
        assert up.end() == 0
    assert not elsewhere.exists()
