"""Bazel's options for a test run, in the words of the runners that do not know Bazel: which tests, which shard.

`real_service_test(test = …, test_runner = "jest")` names the runner; rules/private/test_runners.bzl has the names, too.
What Bazel says is in its Test Encyclopedia, "Test sharding" and "Test filtering"; what a runner takes, in its own help.
A filter is a pattern of the runner's own kind, as with the runners that know Bazel.

Runners that cannot divide their tests, but list them (`LISTING`), are started by launcher/selecting.py.
"""

from __future__ import annotations

from realservices.contract.errors import ManifestError
from realservices.contract.test_filter import FILTER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FAIL_FAST = "TESTBRIDGE_TEST_RUNNER_FAIL_FAST"
TOTAL, INDEX, STATUS_FILE = "TEST_TOTAL_SHARDS", "TEST_SHARD_INDEX", "TEST_SHARD_STATUS_FILE"
TRANSLATED = (FILTER, FAIL_FAST, TOTAL, INDEX, STATUS_FILE)
"""What a program whose runner is known does not see: one that knows Bazel as well would divide its part once more."""

_ONE_PATTERN = {
    "bats": ("--filter", "{}"),
    "jest": ("--testNamePattern={}",),
    "mocha": ("--grep={}",),
    "node": ("--test-name-pattern={}",),
    "playwright": ("--grep={}",),
    "vitest": ("--testNamePattern={}",),
}
_SHARD = {
    "jest": "--shard={}/{}",
    "node": "--test-shard={}/{}",
    "playwright": "--shard={}/{}",
    "vitest": "--shard={}/{}",
}
# Where a shard, or what a filter leaves, may be empty and is no error.
_MAY_BE_EMPTY = {"jest": "--passWithNoTests", "playwright": "--pass-with-no-tests", "vitest": "--passWithNoTests"}
_FAIL_FAST = {"go": "-test.failfast", "jest": "--bail", "mocha": "--bail", "playwright": "-x", "vitest": "--bail=1"}
LISTING = ("go", "rust")
COMMAND_FIRST = ("junit",)
"""Runners whose own arguments may begin with a command, so that ours come last."""
NAMES = tuple(sorted({*_ONE_PATTERN, *LISTING, "junit"}))
SHARDING = tuple(sorted({*_SHARD, *LISTING}))


def translated(runner: str, env: Mapping[str, str]) -> list[str]:
    """Return the options that say to a runner what Bazel has said, but for the shard of one that only lists its tests.

    They go before the program's own arguments, but with runners of `COMMAND_FIRST`.

    Raises:
        ManifestError: The runner is not known, or cannot run a shard.
    """
    if runner not in NAMES:
        raise ManifestError(f"test_runner {runner!r} is not known; known are {', '.join(NAMES)}")
    options = [_FAIL_FAST[runner]] if env.get(FAIL_FAST) == "1" and runner in _FAIL_FAST else []
    pattern = env.get(FILTER, "").strip()
    if pattern:
        options += _filter(runner, pattern)
    if is_sharded(env):
        if runner not in SHARDING:
            raise ManifestError(
                f"test_runner {runner!r} cannot run a part of its tests; those that can: {', '.join(SHARDING)}"
            )
        options += [_SHARD[runner].format(int(env[INDEX]) + 1, env[TOTAL])] if runner in _SHARD else []
    if options and runner in _MAY_BE_EMPTY:
        options.append(_MAY_BE_EMPTY[runner])
    return options


def is_sharded(env: Mapping[str, str]) -> bool:
    """Return whether Bazel has divided the target."""
    return env.get(TOTAL, "").isdigit() and env.get(INDEX, "").isdigit() and int(env[TOTAL]) > 1


def split_filter(pattern: str) -> tuple[list[str], list[str]]:
    """Return what a filter selects and what it leaves out: ``A,-B``, as rules_go's own runner reads it."""
    parts = [part for part in pattern.split(",") if part.strip("-")]
    return [part for part in parts if part[0] != "-"], [part[1:] for part in parts if part[0] == "-"]


def _filter(runner: str, pattern: str) -> list[str]:
    if runner in _ONE_PATTERN:
        return [word.replace("{}", pattern) for word in _ONE_PATTERN[runner]]
    wanted, unwanted = split_filter(pattern)
    if runner == "rust":
        return [*wanted, *(f"--skip={part}" for part in unwanted)]
    if runner == "go":
        named = {"-test.run": wanted, "-test.skip": unwanted}
        return [f"{option}={'|'.join(parts)}" for option, parts in named.items() if parts]
    return _junit(pattern)


def _junit(pattern: str) -> list[str]:
    """Return options of JUnit's ConsoleLauncher: it wants whole names, and patterns of methods since JUnit 5.12."""
    names, method, _ = pattern.partition("#")
    options = [f"--include-classname=.*(?:{names}).*"]
    return [*options, f"--include-methodname=.*(?:{pattern}).*"] if method else options
