"""Bazel, where that is asked for: its version, and whether its sandbox works here."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from realservices.cli.checks.finding import Finding, error, warning

_TIMEOUT_S = 180
_OLDEST = 7
_NAMES = ("bazel", "bazelisk")


def check_bazel(command: str) -> list[Finding]:
    """Ask Bazel for its version, and run its sandbox.

    Args:
        command: How to call Bazel; "" means what BAZEL or PATH names.
    """
    identity = "bazel", "Bazel"
    words = _command(command)
    if not words:
        return [error(
            *identity, "not found: no BAZEL, and neither bazel nor bazelisk on PATH",
            meaning="bazel test cannot be run; plain pytest can.",
            remedy="Install bazelisk as bazel, or use tools/bazelw of rules_realservices: doctor --bazel=tools/bazelw",
        )]  # fmt: skip
    # A workspace of its own, empty, with an output base of its own: no lock of the user's server is waited for.
    # A Bazel in a root filesystem of its own sees /tmp; TMPDIR may be anywhere.
    with tempfile.TemporaryDirectory(prefix="rs-bazel.", dir="/tmp") as directory:
        Path(directory, "MODULE.bazel").touch()
        Path(directory, "WORKSPACE").touch()
        try:
            release = _ask(words, directory, "info", "release")
            install_base = _ask(words, directory, "info", "install_base")
            tried = _sandbox(words, install_base)
        except (OSError, subprocess.SubprocessError) as failed:
            return [error(
                *identity, f"{shlex.join(words)} does not work: {_shown(failed)}",
                meaning="bazel test cannot be run.", remedy="Run it by hand: " + shlex.join([*words, "version"]),
            )]  # fmt: skip
    return [_version(identity, release), tried]


def _command(command: str) -> list[str]:
    words = shlex.split(command or os.environ.get("BAZEL", ""))
    if words:
        return [shutil.which(words[0]) or os.path.abspath(words[0]), *words[1:]]
    found = next((path for path in map(shutil.which, _NAMES) if path), None)
    return [found] if found else []


def _ask(words: list[str], directory: str, *arguments: str) -> str:
    options = [f"--output_base={directory}/output", "--batch"]
    done = subprocess.run(
        [*words, *options, *arguments], cwd=directory, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
    )
    return done.stdout.strip().splitlines()[-1]


def _version(identity: tuple[str, str], release: str) -> Finding:
    # "release 8.1.0", "release 7.7.1- (@non-git)", "development version".
    digits = release.removeprefix("release ").partition(".")[0]
    if digits.isdecimal() and int(digits) < _OLDEST:
        return error(
            *identity, f"{release}; {_OLDEST} or newer is needed",
            meaning="The ruleset does not load.", remedy="echo 8.x > .bazelversion (with bazelisk)",
        )  # fmt: skip
    return Finding(*identity, release)


def _sandbox(words: list[str], install_base: str) -> Finding:
    identity = "linux_sandbox", "linux-sandbox"
    program = Path(install_base, "linux-sandbox")
    if not program.exists():
        return Finding(*identity, f"not looked at: {program} is not to be seen from here ({words[0]} has its own root)")
    done = subprocess.run([program, "--", "/bin/true"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode:
        return warning(
            *identity, f"refused: {done.stderr.strip() or f'exit code {done.returncode}'}",
            meaning="Bazel runs tests unsandboxed (processwrapper-sandbox): what a test forgets to declare is not "
            "noticed, and files that it leaves in /tmp stay.",
            remedy="Allow user namespaces: see the line `namespaces`",
        )  # fmt: skip
    return Finding(*identity, "runs a program")


def _shown(failed: Exception) -> str:
    if isinstance(failed, subprocess.CalledProcessError):
        return " | ".join(failed.stderr.strip().splitlines()[-3:]) or str(failed)
    return str(failed)
