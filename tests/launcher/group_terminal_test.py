"""A group at a terminal: colours there, and Ctrl-C for the command that has it, not for its services."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.host.terminal import CTRL_C, Terminal, opened_terminal
from tests.launcher.executables import executable
from tests.launcher.grouped import LABEL, Group
from tests.launcher.launched import redis

# A program with an answer of its own to Ctrl-C, as an interactive client has.
_INTERACTIVE = """
import os, signal
signal.signal(signal.SIGINT, lambda *_: (os.write(1, b"query cancelled"), os._exit(5)))
os.write(1, b"prompt")
signal.pause()
"""


@contextmanager
def _terminal(group: Group, *arguments: str, **env: str) -> Iterator[Terminal]:
    with opened_terminal(group.command(*arguments), group.env | {"TERM": "xterm"} | env) as terminal:
        yield terminal


@pytest.fixture
def group() -> Iterator[Group]:
    with Group([redis(), executable("app")]) as declared:
        yield declared


def test_ctrl_c_ends_the_group(group: Group) -> None:
    with _terminal(group) as terminal:
        terminal.await_output(f"^{LABEL} is ready")
        terminal.press(CTRL_C)
        assert terminal.wait() == 0
        assert f"{LABEL} has ended" in terminal.output


def test_ctrl_c_is_a_command_s_own_business(group: Group) -> None:
    with _terminal(group, "exec", sys.executable, "-c", _INTERACTIVE) as terminal:
        terminal.await_output("^prompt")
        terminal.press(CTRL_C)
        assert terminal.wait() == 5, terminal.output
        assert "query cancelled" in terminal.output
        assert "realservices:" not in terminal.output


def test_names_have_a_colour_each_on_a_terminal(group: Group) -> None:
    with _terminal(group) as terminal:
        terminal.await_output(f"^{LABEL} is ready")
        assert re.search(r"^\x1b\[31mcache\x1b\[0m  redis://", terminal.output, re.MULTILINE)
        assert re.search(r"^\x1b\[32mapp  \x1b\[0m  http://", terminal.output, re.MULTILINE)


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_there_is_no_colour_where_none_is_wanted(group: Group, env: dict[str, str]) -> None:
    with _terminal(group, **env) as terminal:
        terminal.await_output(f"^{LABEL} is ready")
        assert "\x1b" not in terminal.output
