"""What Bazel wants of a test run, told to runners that do not know Bazel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realservices.contract.errors import ManifestError
from realservices.launcher import test_runners
from realservices.launcher.test_runners import translated
from tests.launcher.launched import Launched

_SHARD = {"TEST_TOTAL_SHARDS": "3", "TEST_SHARD_INDEX": "1"}
# A Go test binary, as far as the launcher speaks with one: it lists its tests, and is told which to run.
_GO = """#!/bin/sh
case "$1" in
  -test.list=.\\*) printf 'set-up says this\\nTestA\\nTestB\\nExampleC\\nTestD\\n' ;;
  -test.list=*) printf '%s\\n' TestA TestB ExampleC TestD | grep -E -e "${1#*=}" || true ;;
  *) printf '<%s>' "$@"; env | grep -c -E '^(TEST_TOTAL_SHARDS|TEST_SHARD_INDEX|TESTBRIDGE_TEST_ONLY)=' || true ;;
esac
"""
_RUST = """#!/bin/sh
if [ "$1" = --list ]; then
  printf 'users::login: test\\nusers::logout: test\\nbench: benchmark\\nmoney: test\\n'
else
  printf '<%s>' "$@"
fi
"""
_PRINTS = "#!/bin/sh\nprintf '<%s>' \"$@\"\n"


@pytest.mark.parametrize(
    ("runner", "filtered", "sharded"),
    [
        ("bats", ["--filter", "lo.in"], None),
        ("go", ["-test.run=lo.in"], []),
        ("jest", ["--testNamePattern=lo.in", "--passWithNoTests"], ["--shard=2/3", "--passWithNoTests"]),
        ("junit", ["--include-classname=.*(?:lo.in).*"], None),
        ("mocha", ["--grep=lo.in"], None),
        ("node", ["--test-name-pattern=lo.in"], ["--test-shard=2/3"]),
        ("playwright", ["--grep=lo.in", "--pass-with-no-tests"], ["--shard=2/3", "--pass-with-no-tests"]),
        ("rust", ["lo.in"], []),
        ("vitest", ["--testNamePattern=lo.in", "--passWithNoTests"], ["--shard=2/3", "--passWithNoTests"]),
    ],
)
def test_a_runner_is_told_in_its_own_words(runner: str, filtered: list[str], sharded: list[str] | None) -> None:
    assert translated(runner, {"TESTBRIDGE_TEST_ONLY": "lo.in"}) == filtered
    assert translated(runner, {"TEST_TOTAL_SHARDS": "1", "TEST_SHARD_INDEX": "0"}) == []
    if sharded is not None:
        assert translated(runner, _SHARD) == sharded
        return
    with pytest.raises(ManifestError) as caught:
        translated(runner, _SHARD)
    assert str(caught.value) == (
        f"test_runner {runner!r} cannot run a part of its tests; those that can: go, jest, node, playwright, rust, vitest"
    )


def test_all_runners_are_tried() -> None:
    assert test_runners.NAMES == ("bats", "go", "jest", "junit", "mocha", "node", "playwright", "rust", "vitest")


@pytest.mark.parametrize(
    ("runner", "pattern", "options"),
    [
        ("go", "TestA,TestB/sub,-TestC", ["-test.run=TestA|TestB/sub", "-test.skip=TestC"]),
        ("rust", "users,-logout", ["users", "--skip=logout"]),
        (
            "junit",
            "UserTest#login",
            ["--include-classname=.*(?:UserTest).*", "--include-methodname=.*(?:UserTest#login).*"],
        ),
        ("mocha", "{}", ["--grep={}"]),
        ("jest", " ", []),
    ],
)
def test_a_filter_with_parts(runner: str, pattern: str, options: list[str]) -> None:
    assert translated(runner, {"TESTBRIDGE_TEST_ONLY": pattern}) == options


def test_a_run_that_ends_with_the_first_failure() -> None:
    wish = {"TESTBRIDGE_TEST_RUNNER_FAIL_FAST": "1"}
    told = {runner: translated(runner, wish)[:1] for runner in test_runners.NAMES}
    assert {runner for runner, words in told.items() if words} == {"go", "jest", "mocha", "playwright", "vitest"}
    assert told["go"] == ["-test.failfast"]


def _run(directory: Path, script: str, runner: str, *arguments: str, **env: str) -> tuple[int, str]:
    status = directory / "sharded"
    env["TEST_SHARD_STATUS_FILE"] = str(status)
    with Launched(directory, [], script=script, test_runner=runner, arguments=list(arguments), env=env) as launched:
        code = launched.wait()
        assert status.exists() is ("TEST_TOTAL_SHARDS" in env and code == 0)
        return code, launched.output


def test_options_come_before_arguments(tmp_path: Path) -> None:
    said = _run(tmp_path / "node", _PRINTS, "node", "a.test.js", TESTBRIDGE_TEST_ONLY="login")
    assert said == (0, "<--test-name-pattern=login><a.test.js>")
    said = _run(tmp_path / "junit", _PRINTS, "junit", "execute", "--select-package=a", TESTBRIDGE_TEST_ONLY="login")
    assert said == (0, "<execute><--select-package=a><--include-classname=.*(?:login).*>")


def test_shards_of_a_runner_that_divides(tmp_path: Path) -> None:
    said = _run(tmp_path / "run", _PRINTS, "jest", TEST_TOTAL_SHARDS="2", TEST_SHARD_INDEX="1")
    assert said == (0, "<--shard=2/2><--passWithNoTests>")


@pytest.mark.parametrize(
    ("index", "pattern", "options"),
    [
        ("0", "", "<-test.skip=^(TestB|TestD)$>"),
        ("1", "", "<-test.skip=^(TestA|ExampleC)$>"),
        ("1", "TestA/x,-TestD", "<-test.run=TestA/x><-test.skip=TestD|^(TestA|ExampleC)$>"),
    ],
)
def test_shards_of_a_go_binary(tmp_path: Path, index: str, pattern: str, options: str) -> None:
    shard = {"TEST_TOTAL_SHARDS": "2", "TEST_SHARD_INDEX": index}
    said = _run(tmp_path / "run", _GO, "go", "-test.v", TESTBRIDGE_TEST_ONLY=pattern, **shard)
    assert said == (0, f"{options}<-test.v>0\n")  # It does not see what would make it divide once more.


def test_a_filter_that_selects_nothing_of_a_go_binary(tmp_path: Path) -> None:
    shard = {"TEST_TOTAL_SHARDS": "2", "TEST_SHARD_INDEX": "1"}
    code, output = _run(tmp_path / "run", _GO, "go", TESTBRIDGE_TEST_ONLY="TestNone/[/]x", **shard)
    warning = "--test_filter=TestNone/[/]x selects none of the 4 tests of this target, in no shard\n"
    assert code == 0
    assert output.startswith(f"realservices: {warning}<-test.run=TestNone/[/]x>")
    assert (tmp_path / "run" / "warnings").read_text("utf-8") == warning


@pytest.mark.parametrize(
    ("total", "index", "pattern", "options"),
    [
        ("2", "0", "", "<--exact><users::login><money>"),
        ("2", "1", "", "<--exact><users::logout>"),
        ("2", "0", "users,-login", "<--exact><users::logout>"),
        ("4", "3", "", ""),
        ("2", "1", "users,-login", ""),
    ],
)
def test_shards_of_a_rust_binary(tmp_path: Path, total: str, index: str, pattern: str, options: str) -> None:
    shard = {"TEST_TOTAL_SHARDS": total, "TEST_SHARD_INDEX": index}
    assert _run(tmp_path / "run", _RUST, "rust", TESTBRIDGE_TEST_ONLY=pattern, **shard) == (0, options)


def test_a_filter_that_selects_nothing_of_a_rust_binary(tmp_path: Path) -> None:
    shard = {"TEST_TOTAL_SHARDS": "2", "TEST_SHARD_INDEX": "0"}
    code, output = _run(tmp_path / "run", _RUST, "rust", TESTBRIDGE_TEST_ONLY="signup", **shard)
    assert (code, output) == (
        0,
        "realservices: --test_filter=signup selects none of the 3 tests of this target, in no shard\n",
    )


def test_a_program_that_does_not_list_its_tests(tmp_path: Path) -> None:
    script = "#!/bin/sh\necho no flag >&2; exit 2\n"
    with Launched(tmp_path / "run", [], script=script, test_runner="go", env=_SHARD) as launched:
        assert launched.wait() == 1
        program = launched.runfiles / "script"
    assert launched.output == (
        f"realservices: cannot list the tests of {program}, to run this shard's: -test.list=.* ends with exit code 2: "
        "no flag\n"
    )


def test_a_runner_that_is_not_known(tmp_path: Path) -> None:
    with Launched(tmp_path / "run", [], script=_PRINTS, test_runner="karma") as launched:
        assert launched.wait() == 1
    assert launched.output == (
        "realservices: test_runner 'karma' is not known; known are bats, go, jest, junit, mocha, node, playwright, rust, "
        "vitest\n"
    )


def test_a_program_whose_runner_is_not_known_sees_what_bazel_says(tmp_path: Path) -> None:
    env = {**_SHARD, "TESTBRIDGE_TEST_ONLY": "login"}
    with Launched(tmp_path / "run", [], env=env) as launched:
        seen: dict[str, Any] = launched.program.environment
        launched.finish()
    assert {name: seen[name] for name in env} == env
