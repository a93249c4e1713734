"""What is shown of templates in the making: a line on a terminal that is wiped away, one at the end in a log."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator

import pytest

from realservices.sources import build_progress
from realservices.sources.build_progress import build_of, present_builds

_LINES = ["progress: file 1 of 2, 1.sql\n", "said by somebody\n", "progress: file 2 of 2, \x1b[2J.sql\n"]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Return what reads a terminal on which builds are shown at once."""
    reads, terminal = pty.openpty()
    monkeypatch.setattr(build_progress, "_terminal", terminal)
    monkeypatch.setattr(build_progress, "_SHOWN_AFTER_S", 0)
    monkeypatch.setattr(build_progress, "_PAUSE_S", 0.001)
    monkeypatch.delenv("TERM", raising=False)
    yield reads
    os.close(reads)
    os.close(terminal)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Return what reads a log."""
    reads, writes = os.pipe()
    monkeypatch.setattr(build_progress, "_terminal", writes)
    monkeypatch.setattr(build_progress, "_SHOWN_AFTER_S", 0)
    yield reads
    os.close(reads)
    os.close(writes)


def test_a_tool_says_what_it_does(log: int) -> None:
    assert log
    with build_of("db") as build:
        assert build.words == "building the schema of db"
        assert build.follow(_LINES) == "said by somebody\n"
        assert build.words == "building the schema of db: file 2 of 2, \\x1b[2J.sql"
        assert present_builds() == [build]
    assert not present_builds()


def test_a_terminal_shows_it_and_wipes_it_away(shown: int) -> None:
    with build_of("db") as build:
        build.follow(_LINES[:1])
        found = b""
        while b"file 1" not in found:
            found += os.read(shown, 4096)
    assert "building the schema of db: file 1 of 2, 1.sql … 0 s" in found.decode()
    while not found.endswith(b"\r\x1b[K"):
        found += os.read(shown, 4096)


def test_a_long_line_fits_the_terminal(shown: int) -> None:
    with build_of("db") as build:
        build.follow([f"progress: {'x' * 500}\n"])
        found = b""
        while b"x" not in found or not found.endswith("…".encode()):
            found += os.read(shown, 4096)
    assert max(map(len, found.decode().split("\r\x1b[K"))) < 80


@pytest.mark.parametrize(
    ("limit_s", "line"), [(60.0, ""), (0.0, "realservices: built the schema of db in 0 s; it is kept\n")]
)
def test_a_log_has_one_line_of_a_long_build(
    log: int, monkeypatch: pytest.MonkeyPatch, limit_s: float, line: str
) -> None:
    monkeypatch.setattr(build_progress, "_TOLD_AFTER_S", limit_s)
    with build_of("db") as build:
        build.follow(_LINES)
    os.write(build_progress._terminal, b"end")
    assert os.read(log, 4096).decode() == f"{line}end"


def test_a_build_that_fails_is_not_told_of(log: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_progress, "_TOLD_AFTER_S", 0)
    with pytest.raises(ZeroDivisionError), build_of("db"):
        raise ZeroDivisionError
    os.write(build_progress._terminal, b"end")
    assert os.read(log, 4096) == b"end"


def test_where_nobody_reads_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    monkeypatch.setattr(build_progress, "_terminal", writes)
    monkeypatch.setattr(build_progress, "_TOLD_AFTER_S", 0)
    with build_of("db") as build:
        assert build.follow(["a line\n"]) == "a line\n"
    os.close(writes)
