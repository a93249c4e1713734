"""Download wheels by name and hash with the user's own pip.

First step of every repository that comes from a Python package index: the repository rules (`rules/private/*_repo.bzl`)
run `fetch_binary.py` or `fetch_site.py` with the machine's `python3`, and both call `download` here. pip's own
configuration decides which index or mirror is asked; the hashes decide what is accepted.

Written for any `python3` a machine may have (3.8 and later): the interpreter that fetches need not be the one that runs
the tests.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import NamedTuple

# Wheel tags that a platform's interpreters accept. pip expands a macOS version to all earlier ones, but not a manylinux
# one, so each baseline that our wheels use is listed (see "Platform compatibility tags" of the Python packaging guide).
_MANYLINUX = ("2_28", "2_27", "2_17", "2_12", "2_5")
PLATFORM_TAGS = {
    "linux_x86_64": ["manylinux_" + v + "_x86_64" for v in _MANYLINUX] + ["manylinux2014_x86_64"],
    "linux_arm64": ["manylinux_" + v + "_aarch64" for v in _MANYLINUX] + ["manylinux2014_aarch64"],
    "macos_arm64": ["macosx_14_0_arm64"],
    "macos_x86_64": ["macosx_14_0_x86_64"],
}

_LAST_LINES = 8

# What pip prints, and what it means for the reader of a build log. The first match wins.
_CAUSES = (
    (
        "DO NOT MATCH THE HASHES",
        "the index served another file than the pinned one, and it was refused. A mirror may have rebuilt the package.",
    ),
    ("No matching distribution found", "the index that pip asks has no wheel of this version for this platform."),
    ("no such option", "this pip is too old; 20.3 or later is needed (`python3 -m pip install --upgrade pip`)."),
)
_UNREACHABLE = "pip could not reach its index."
_UNREACHABLE_SIGNS = ("NewConnectionError", "ConnectTimeoutError", "Max retries exceeded", "Temporary failure in name")
_UNKNOWN_CAUSE = "see pip's last lines."


class FetchError(Exception):
    """A repository could not be fetched; the text is the whole message for the user."""


class Requirement(NamedTuple):
    """One pinned distribution: `hashes` are pip's `sha256:<hex>` words."""

    name: str
    version: str
    hashes: list[str]

    def line(self) -> str:
        """Return it as a line of a pip requirements file."""
        return " ".join([self.name + "==" + self.version] + ["--hash=" + h for h in self.hashes])


def download(
    requirements: list[Requirement],
    *,
    platform: str,
    python_version: str,
    directory: str,
    remedies: str,
    wheels: str = "",
) -> list[str]:
    """Fetch one wheel per requirement into `directory`.

    Args:
        requirements: what to fetch; a file with another hash is refused.
        platform: a key of PLATFORM_TAGS; it need not be this machine's.
        python_version: CPython version as `3.12`, which decides between wheels of compiled packages.
        directory: created if missing; must hold nothing else.
        remedies: what the user can do instead, appended to the message of a failure.
        wheels: a directory to choose from, in place of the index.

    Returns:
        Paths of the wheels, sorted.

    Raises:
        FetchError: pip is missing, the index is out of reach, or a hash differs.
    """
    require_pip()
    os.makedirs(directory, exist_ok=True)
    requirements_file = os.path.join(directory, "requirements.txt")
    with open(requirements_file, "w", encoding="utf-8") as out:
        out.writelines(r.line() + "\n" for r in requirements)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += ["--disable-pip-version-check", "--implementation", "cp", "--python-version", python_version]
    for tag in PLATFORM_TAGS[platform]:
        command += ["--platform", tag]
    if wheels:
        command += ["--no-index", "--find-links", wheels]
    command += ["-r", requirements_file, "-d", directory]
    # A user's PIP_REQUIRE_VIRTUALENV guards installs; nothing is installed here. No prompts: nobody sees them.
    environment = dict(os.environ, PIP_REQUIRE_VIRTUALENV="0", PIP_NO_INPUT="1")
    # The directory is empty but for the requirements: nothing there can shadow pip's modules.
    done = subprocess.run(command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = done.stdout.decode("utf-8", "replace")
    fetched = sorted(os.path.join(directory, f) for f in os.listdir(directory) if f.endswith(".whl"))
    if done.returncode != 0 or len(fetched) != len(requirements):
        raise FetchError(
            f"could not fetch {_names(requirements)} for {platform} and CPython {python_version}: {_cause(output)}\n"
            f"pip's last lines (exit code {done.returncode}):\n{last_lines(output)}\n{remedies}"
        )
    return fetched


def require_pip() -> None:
    """Raise FetchError unless this interpreter has pip."""
    if importlib.util.find_spec("pip") is None:
        raise FetchError(
            f"{sys.executable} has no pip, which fetches the pinned packages. Install it (the package python3-pip, "
            "or `python3 -m ensurepip`), or put a python3 that has it first on PATH."
        )


def _names(requirements: list[Requirement]) -> str:
    shown = ", ".join(r.name + "==" + r.version for r in requirements[:3])
    return shown if len(requirements) <= 3 else f"{shown} and {len(requirements) - 3} more"


def _cause(output: str) -> str:
    # Before pip's own summary: without an index it finds "no matching distribution" either.
    if any(sign in output for sign in _UNREACHABLE_SIGNS):
        return _UNREACHABLE
    return next((cause for sign, cause in _CAUSES if sign in output), _UNKNOWN_CAUSE)


def last_lines(output: str) -> str:
    """Return the end of a program's output, indented for a message."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return "\n".join("    " + line for line in lines[-_LAST_LINES:])
