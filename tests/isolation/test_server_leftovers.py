"""What tests leave in a server as a whole is undone by the last one that ends, whichever process that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from realservices.isolation.errors import IsolationBrokenError
from realservices.isolation.server_leftovers import ServerLeftovers, State


class Server(ServerLeftovers):
    """One process's view of a server that is a dictionary."""

    def __init__(self, path: Path, holds: State) -> None:
        super().__init__(str(path))
        self._holds = holds

    def look(self) -> State:
        return dict(self._holds)

    def undo(self, before: State, now: State) -> None:
        self._holds.clear()
        self._holds.update(before)


def test_what_comes_between_tests_stays_and_what_a_test_leaves_goes(tmp_path: Path) -> None:
    holds = {"setting a": "1"}
    server = Server(tmp_path / "state", holds)
    for _ in range(2):
        with server.watched():
            holds |= {"setting a": "2", "function b": ""}
        assert holds == {"setting a": "1"}
    holds["setting a"] = "3"
    with server.watched():
        del holds["setting a"]
    assert holds == {"setting a": "3"}


def test_what_comes_while_another_process_looks_is_undone(tmp_path: Path) -> None:
    holds: State = {}
    one, other = Server(tmp_path / "state", holds), Server(tmp_path / "state", holds)
    one.begin()
    other.begin()

    def finish(_: bool) -> State:
        now = one.look()
        holds["function b"] = ""
        other.end()
        return now

    one.end(finish)
    assert holds == {}
    with one.watched():
        pass
    assert holds == {}


def test_only_the_last_test_of_a_process_looks(tmp_path: Path) -> None:
    server, told = Server(tmp_path / "state", {}), list[bool]()

    def finish(is_last: bool) -> State:
        told.append(is_last)
        return server.look()

    server.begin()
    server.begin()
    server.end(finish)
    server.end(finish)
    assert told == [False, True]


class Forgetful(Server):
    """A server that cannot make anew what a test has removed."""

    def undo(self, before: State, now: State) -> None:
        self.note_gone(before.keys() - now.keys())
        raise IsolationBrokenError("gone")


def test_what_cannot_be_made_anew_is_told_once(tmp_path: Path) -> None:
    holds = {"database a": "", "database b": ""}
    one, other = Forgetful(tmp_path / "state", holds), Forgetful(tmp_path / "state", holds)
    with other.watched():
        pass
    one.begin()
    del holds["database a"]
    with pytest.raises(IsolationBrokenError, match="gone"):
        one.end()
    for server in (one, other):
        with server.watched():
            assert holds == {"database b": ""}


def test_what_a_killed_process_has_claimed_is_undone(tmp_path: Path) -> None:
    holds: State = {}
    killed, server = Server(tmp_path / "state", holds), Server(tmp_path / "state", holds)
    killed.begin()
    killed.claim("function b")
    holds["function b"] = ""
    killed._let_go()
    for _ in range(2):
        with server.watched():
            pass
        assert holds == {}
