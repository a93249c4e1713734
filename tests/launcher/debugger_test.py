"""A debugger in a test under `bazel run`, on a terminal where Bazel's test-setup.sh leaves the test in the background."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.host.terminal import CTRL_C, Terminal, opened_terminal
from tests.launcher.launched import Launched, redis

_DEBUGGED = """
import asyncio

def test_debugged():
    x = {"answer": 42}
    breakpoint()
    assert x["answer"] == 43

async def test_of_a_coroutine():
    y = "in the loop"
    breakpoint()
    print("after", y)

def test_that_hangs():
    print("hanging now", flush=True)
    while True:
        pass
"""
# What test-setup.sh does, as far as it concerns process groups; and a line that is read when the test is over.
_SET_UP = """
set -m
("$@" 2>&1) <&0 &
child=$!
set +m
while kill -0 $child 2>/dev/null; do wait $child; done
wait $child; echo "the test ended with $?"
read -r line; echo "then came $line"
"""
_CTRL_Z = b"\x1a"


@contextmanager
def _debugging(directory: Path, *arguments: str, script: str = _SET_UP) -> Iterator[Terminal]:
    launched = Launched(directory, [redis()], pytest=_DEBUGGED, arguments=[*arguments, "-p", "no:terminalreporter"])
    command = ["/bin/bash", "-c", script, "test-setup.sh", *launched.command]
    try:
        with opened_terminal(command, launched.variables | {"TEST_SRCDIR": str(launched.runfiles)}) as terminal:
            yield terminal
    finally:
        launched.remove()


def test_a_breakpoint(tmp_path: Path) -> None:
    with _debugging(tmp_path / "run", "-k", "debugged or coroutine") as terminal:
        terminal.await_output(r"\(Pdb\) ")
        terminal.press(b"p x\n")
        terminal.await_output(r"^\{'answer': 42\}$")
        terminal.press(b"x['answer'] = 43\nc\n")
        terminal.await_output(r"test_of_a_coroutine\(\)\n-> .*\n\(Pdb\) ")  # Which line: Python 3.13 changed that.
        terminal.press(b"p y\n")
        terminal.await_output(r"^'in the loop'$")
        terminal.press(b"c\n")
        terminal.await_output("the test ended with 0")
        terminal.press(b"more\n")  # The terminal is again test-setup.sh's.
        terminal.await_output("then came more")
        assert terminal.wait() == 0


def test_ctrl_c_and_ctrl_z_at_the_prompt(tmp_path: Path) -> None:
    with _debugging(tmp_path / "run", "-k", "debugged") as terminal:
        terminal.await_output(r"\(Pdb\) ")
        terminal.press(_CTRL_Z)
        terminal.press(b"p x\n")
        terminal.await_output(r"^\{'answer': 42\}$")
        terminal.press(b"q\n")
        terminal.await_output("the test ended with 2")  # As pytest says that it was interrupted.
        terminal.press(b"more\n")
        terminal.await_output("then came more")


def test_ctrl_c_ends_a_test(tmp_path: Path) -> None:
    with _debugging(tmp_path / "run", "-s", "-k", "hangs") as terminal:
        terminal.await_output("hanging now")
        terminal.press(CTRL_C)
        terminal.await_output("the test ended with [1-9]")
        terminal.press(b"more\n")
        terminal.await_output("then came more")


def test_a_test_in_the_background_takes_no_terminal(tmp_path: Path) -> None:
    """As with `bazel run //a:test &`: what is typed is for the shell."""
    script = """
    set -m
    /bin/bash -c 'set -m; ("$@" 2>&1) <&0 & wait' test-setup.sh "$@" &
    read -r line; echo "the shell read $line"
    kill -9 -$! $(cat /proc/$!/task/$!/children); wait
    """
    with _debugging(tmp_path / "run", "-s", "-k", "hangs", script=script) as terminal:
        terminal.await_output("hanging now")
        terminal.press(b"more\n")
        terminal.await_output("the shell read more")
        terminal.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="a terminal is taken on Linux only")
def test_standard_input_that_is_no_terminal(tmp_path: Path) -> None:
    source = "def test_input():\n    import sys\n    assert sys.stdin is not None\n"
    with Launched(tmp_path / "run", [], pytest=source, env={"TEST_SRCDIR": "/"}) as launched:
        assert launched.wait() == 0, launched.output
