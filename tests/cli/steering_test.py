"""`stop` and `restart`: what a second terminal does to a service that runs."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from tests.cli.development import ask

if TYPE_CHECKING:
    from tests.cli.development import Development


def test_a_service_is_stopped_until_it_is_restarted(development: Development) -> None:
    development.project.declare(auth="", backend="")
    with development.up() as up:
        up.await_ready()
        before = development.file("auth")
        for _ in range(2):
            done = development.run("stop", "auth")
            assert (done.returncode, done.stdout, done.stderr) == (0, "auth is stopped\n", "")
        assert development.states() == {"auth": "stopped", "backend": "healthy"}
        done = development.run("restart", "auth")
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(r"auth is ready in \d+ ms\n", done.stdout)
        assert development.states() == {"auth": "healthy", "backend": "healthy"}
        assert development.file("auth")["port"] == before["port"]
        assert up.end() == 0


def test_a_service_that_died_is_started_again(development: Development) -> None:
    development.project.declare(auth="")
    with development.up() as up:
        up.await_ready()
        ask(development.file("auth"), "/end", may_end=True)
        up.await_error("exited with code 3")
        assert development.run("restart", "auth").returncode == 0
        assert development.states() == {"auth": "healthy"}


def test_what_was_not_started_here_is_left_alone(development: Development) -> None:
    development.discovery.mkdir()
    (development.discovery / "auth.json").write_text('{"port": 1234}', encoding="utf-8")
    for word in ("stop", "restart"):
        done = development.run(word, "auth")
        assert done.returncode == 1
        assert done.stderr == (
            f"realservices {word}: service 'auth' at 127.0.0.1:1234 was not started here: stop and "
            "restart it where it was started\n"
        )


def test_after_a_killed_one_there_is_nobody_to_ask(development: Development) -> None:
    development.project.declare(auth="")
    with development.up() as up:
        up.await_ready()
        assert up.end(signal.SIGKILL) == -signal.SIGKILL
    done = development.run("restart", "auth")
    assert done.returncode == 1
    assert done.stderr == (
        f"realservices restart: service 'auth' does not run: process {up.pid}, which started it, has ended. "
        "`python -m realservices up` starts it again\n"
    )
