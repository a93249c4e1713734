"""The way to a test program that lists its tests and cannot divide them: find this shard's, and become the program.

It runs in the program's process (launcher/tested_program.py), so that the launcher goes on watching services meanwhile.
The runners are those of `test_runners.LISTING`: a Go test binary, and one of Rust's libtest.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

from realservices.contract.test_filter import FILTER, no_match
from realservices.launcher.test_runners import INDEX, TOTAL, TRANSLATED, split_filter, translated
from realservices.system.bazel_files import note, tell_warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_GO_NAME = re.compile(r"(?:Test|Example|Fuzz)\w*")
_RUST_NAME = re.compile(r"(\S.*): test")
# rules_go's own main function wraps the program for a report, unless it is told otherwise.
_LISTING = {"GO_TEST_WRAP": "0"}


def run() -> NoReturn:
    """Become the program with the options that select this shard's tests.

    Arguments of this process: the runner, the program, and what it is given.
    """
    runner, program, *arguments = sys.argv[1:]
    try:
        options = selecting_options(runner, program)
    except (OSError, ValueError) as error:
        note(f"cannot list the tests of {program}, to run this shard's: {error}")
        sys.exit(1)
    if options is None:
        sys.exit(0)
    # Only now: Bazel takes a program that does not know shards for one that runs all of its tests in each.
    env = {name: value for name, value in os.environ.items() if name not in TRANSLATED}
    os.execve(program, [program, *options, *arguments], env)  # noqa: S606 - a shell would be one process too many


def selecting_options(runner: str, program: str) -> list[str] | None:
    """Return the options that select this shard's tests, None where it has none.

    Raises:
        OSError: The program cannot be started.
        ValueError: It does not list its tests.
    """
    total, index = int(os.environ[TOTAL]), int(os.environ[INDEX])
    if runner == "go":
        return _go(program, total, index)
    return _rust(program, total, index)


def _go(program: str, total: int, index: int) -> list[str]:
    names = _go_names(program, ".*")
    wanted, _ = split_filter(os.environ.get(FILTER, ""))
    if wanted and not _go_names(program, "|".join(_top_level(part) for part in wanted)):
        _tell_no_match(len(names))
    others = [name for place, name in enumerate(names) if place % total != index]
    options = translated("go", os.environ)
    skipped = next((option for option in options if option.startswith("-test.skip=")), "")
    kept = [option for option in options if option != skipped]
    pattern = "|".join(filter(None, [skipped.partition("=")[2], f"^({'|'.join(others)})$" if others else ""]))
    return [*kept, f"-test.skip={pattern}"] if pattern else kept


def _go_names(program: str, pattern: str) -> list[str]:
    lines = _output([program, f"-test.list={pattern}"])
    return [line for line in lines if _GO_NAME.fullmatch(line)]


def _top_level(pattern: str) -> str:
    """Return the part of a pattern that speaks of tests and not of their subtests; slashes in brackets are none."""
    depth = 0
    for place, character in enumerate(pattern):
        depth += (character in "[(") - (character in "])")
        if character == "/" and depth <= 0:
            return pattern[:place]
    return pattern


def _rust(program: str, total: int, index: int) -> list[str] | None:
    listed = [
        match[1] for line in _output([program, "--list", "--format=terse"]) if (match := _RUST_NAME.fullmatch(line))
    ]
    wanted, unwanted = split_filter(os.environ.get(FILTER, ""))
    names = [name for name in listed if not wanted or any(part in name for part in wanted)]
    names = [name for name in names if not any(part in name for part in unwanted)]
    if not names:
        _tell_no_match(len(listed))
    own = names[index::total]
    return ["--exact", *own] if own else None


def _output(command: list[str]) -> list[str]:
    env = {name: value for name, value in os.environ.items() if name not in TRANSLATED} | _LISTING
    env.pop("XML_OUTPUT_FILE", None)
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()[-2000:]
        raise ValueError(f"{' '.join(command[1:])} ends with exit code {done.returncode}: {said or 'no word'}")
    return done.stdout.decode(errors="replace").splitlines()


def _tell_no_match(count: int) -> None:
    text = no_match(os.environ.get(FILTER, ""), count)
    tell_warnings([text])
    note(text)
