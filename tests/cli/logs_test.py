"""`logs`: what a service has written, and what it writes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.development import DEADLINE_S, ask
from tests.host.terminal import opened_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.development import Development


def test_all_and_the_last_lines(development: Development) -> None:
    development.project.declare(auth="", backend="")
    with development.up() as up:
        up.await_ready()
        for word in ("one", "two"):
            ask(development.file("auth"), f"/say/{word}")
        up_to_now = development.run("logs", "auth")
        assert (up_to_now.returncode, up_to_now.stdout, up_to_now.stderr) == (0, "auth serves\none\ntwo\n", "")
        assert development.run("logs", "auth", "-n", "1").stdout == "two\n"
        assert development.run("logs", "-n2", "auth").stdout == "one\ntwo\n"
        assert development.run("logs", "auth", "--lines", "0").stdout == ""


def test_a_terminal_obeys_nothing_but_colours(development: Development) -> None:
    log = development.directory / "auth.log"
    written = "\x1b[32mgreen\x1b[0m\r\n\x1b[2J\x1b]0;title\x07over\rwritten\n"
    log.write_text(written, encoding="utf-8", newline="")
    development.discovery.mkdir()
    (development.discovery / "auth.json").write_text(json.dumps({"port": 0, "log": str(log)}), encoding="utf-8")
    # What is no terminal gets what was written.
    with subprocess.Popen(
        development.command("logs", "auth"), cwd=development.directory, env=development.environment,
        stdout=subprocess.PIPE,
    ) as piped:  # fmt: skip
        assert piped.communicate(timeout=DEADLINE_S)[0] == written.encode()
    command, directory = development.command("logs", "auth"), str(development.directory)
    with opened_terminal(command, development.environment, directory) as shown:
        assert shown.wait() == 0
    assert shown.output == "\x1b[32mgreen\x1b[0m\n" + r"\x1b[2J\x1b]0;title\x07over\rwritten" + "\n"


def test_a_log_that_is_no_file(development: Development) -> None:
    fifo = development.directory / "fifo"
    os.mkfifo(fifo)
    development.discovery.mkdir()
    (development.discovery / "auth.json").write_text(json.dumps({"port": 0, "log": str(fifo)}), encoding="utf-8")
    done = development.run("logs", "auth")
    assert (done.returncode, done.stdout) == (1, "")
    assert "has no log any more at" in done.stderr
    assert "it is not a regular file" in done.stderr


def test_one_that_has_ended(development: Development) -> None:
    development.project.declare(auth="")
    with development.up() as up:
        up.await_ready()
        ask(development.file("auth"), "/end", may_end=True)
        up.await_error("exited with code 3")
        assert development.run("logs", "auth").stdout == "auth serves\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_following_ends_with_what_runs_the_service(development: Development, number: signal.Signals) -> None:
    development.project.declare(auth="")
    with development.up() as up:
        up.await_ready()
        with _following(development, "-n", "0") as logs:
            assert logs.stdout
            # What is written before it looks is not shown.
            deadline = time.monotonic() + DEADLINE_S
            while not (line := _next_line(logs, development)):
                assert time.monotonic() < deadline
            assert line == "hello\n"
            up.end(number)
            _, errors = logs.communicate(timeout=DEADLINE_S)
            assert logs.returncode == 0
            assert errors == f"realservices logs: process {up.pid}, which started 'auth', has ended\n"


def test_following_until_ctrl_c(development: Development) -> None:
    development.project.declare(auth="")
    with development.up() as up:
        up.await_ready()
        with _following(development) as logs:
            assert logs.stdout
            assert logs.stdout.readline() == "auth serves\n"
            logs.send_signal(signal.SIGINT)
            _, errors = logs.communicate(timeout=DEADLINE_S)
            assert (logs.returncode, errors) == (130, "\n")


def test_following_until_nobody_reads(development: Development) -> None:
    development.project.declare(auth="")
    with development.up() as up:
        up.await_ready()
        with _following(development) as logs:
            assert logs.stdout
            assert logs.stderr
            assert logs.stdout.readline() == "auth serves\n"
            logs.stdout.close()
            ask(development.file("auth"), "/say/hello")
            assert logs.wait(DEADLINE_S) == 0
            assert "Error" not in logs.stderr.read()


def test_an_unknown_service(development: Development) -> None:
    development.project.declare(auth="", backend="")
    done = development.run("logs", "api")
    assert done.returncode == 1
    assert f"no service 'api' in {development.discovery}; there are none" in done.stderr
    with development.up() as up:
        up.await_ready()
        done = development.run("logs", "api")
        assert done.returncode == 1
        assert f"no service 'api' in {development.discovery}; there are auth, backend" in done.stderr


@contextlib.contextmanager
def _following(development: Development, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `logs auth --follow`; whatever becomes of the test, it is ended."""
    with subprocess.Popen(
        development.command("logs", "auth", "--follow", *arguments), cwd=development.directory,
        env=development.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as logs:  # fmt: skip
        try:
            yield logs
        finally:
            logs.kill()


def _next_line(logs: subprocess.Popen[str], development: Development) -> str:
    """Return what is shown of one word that the service says, or "" if it was said too early."""
    assert logs.stdout
    ask(development.file("auth"), "/say/hello")
    ready, _, _ = select.select([logs.stdout], [], [], 1)
    return logs.stdout.readline() if ready else ""
