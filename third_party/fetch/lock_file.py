"""Read a hashed requirements lock for one interpreter and platform.

The lock is what `uv pip compile --universal --generate-hashes` or `pip-compile --generate-hashes` writes: one pinned
distribution per logical line, with an optional environment marker. pip evaluates markers for the interpreter that runs
pip, whatever `--python-version` says, so a cross-version download would skip or add distributions: here they are
evaluated for the target.
"""

from __future__ import annotations

import re

from pip_wheels import FetchError, Requirement

_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;]+)\s*(?:;([^#]*?))?((?:\s+--hash=\S+)+)$")

_PLATFORM_MARKERS = {
    "linux_x86_64": ("linux", "Linux", "x86_64"),
    "linux_arm64": ("linux", "Linux", "aarch64"),
    "macos_arm64": ("darwin", "Darwin", "arm64"),
    "macos_x86_64": ("darwin", "Darwin", "x86_64"),
}


def normalize(name: str) -> str:
    """Return a distribution's name as a Bazel target name: `clickhouse-connect` → `clickhouse_connect`."""
    return re.sub(r"[-_.]+", "_", name).lower()


def marker_environment(python_version: str, platform: str) -> dict[str, str]:
    """Return the marker variables (PEP 508) of a CPython on a platform.

    The patch version is taken as 0: whatever an early patch release needs is harmless on a later one.
    """
    sys_platform, system, machine = _PLATFORM_MARKERS[platform]
    return {
        "python_version": python_version,
        "python_full_version": python_version + ".0",
        "implementation_version": python_version + ".0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": sys_platform,
        "platform_system": system,
        "platform_machine": machine,
        "os_name": "posix",
        "extra": "",
    }


def read_lock(text: str, *, python_version: str, platform: str, source: str) -> list[Requirement]:
    """Return the requirements of a lock that apply to a target.

    Args:
        text: the lock's content.
        python_version: as `3.12`.
        platform: a key of `pip_wheels.PLATFORM_TAGS`.
        source: the lock's name in messages.

    Raises:
        FetchError: a line is not a pinned, hashed requirement.
    """
    environment = marker_environment(python_version, platform)
    requirements = []
    for line in _logical_lines(text):
        match = _PINNED.match(line)
        if not match:
            raise FetchError(
                f"{source}: expected NAME==VERSION [; marker] --hash=sha256:…, found: {line[:200]}\n"
                "Write the lock with `uv pip compile --universal --generate-hashes`."
            )
        name, version, marker, hashes = match.groups()
        if marker and not _applies(marker.strip(), environment):
            continue
        requirements.append(Requirement(name, version, [word.split("=", 1)[1] for word in hashes.split()]))
    return requirements


def _logical_lines(text: str) -> list[str]:
    joined = re.sub(r"\\\n", " ", text)
    stripped = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in joined.splitlines())
    return [line for line in stripped if line]


def _applies(marker: str, environment: dict[str, str]) -> bool:
    # pip carries the reference implementation, and pip is needed anyway.
    from pip._vendor.packaging.markers import Marker  # noqa: PLC0415 (pip may be missing: require_pip)

    return bool(Marker(marker).evaluate(environment))
