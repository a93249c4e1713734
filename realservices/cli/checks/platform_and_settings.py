"""System, processor, interpreter, limits of this process, and settings."""

from __future__ import annotations

import os
import platform
import resource
import sys
from pathlib import Path

from realservices.cli.checks.finding import Finding, error, warning
from realservices.contract import environment
from realservices.contract.errors import RealServicesError
from realservices.contract.user_variables import CACHE_MB, TEMPLATE_CACHE_MB, USER_VARIABLES
from realservices.system.directory_cache import cache_limit_bytes

_SYSTEMS = {"linux": ("x86_64", "aarch64"), "darwin": ("arm64", "x86_64")}
_OLDEST_PYTHON = (3, 11)
# What PostgreSQL keeps for itself, with a few tables and one client.
_LEAST_FILES = 64
_FEW_FILES, _FEW_PROCESSES = 1024, 256
# What the launcher itself sets for a test, but for the file that is asked for here, has passwords in it.
_SETTINGS = (*USER_VARIABLES, environment.RUNTIME)


def check_platform() -> Finding:
    """Look at the operating system and the processor."""
    machine = platform.machine()
    found = f"{platform.system()} {platform.release()} on {machine}, {os.cpu_count()} processors"
    if sys.platform not in _SYSTEMS:
        return error(
            "platform", "operating system", found,
            meaning="Nothing of this runs here: it is made for Linux and macOS.",
            remedy="Use Linux, macOS, or Windows with WSL 2.",
        )  # fmt: skip
    if machine not in _SYSTEMS[sys.platform]:
        return warning(
            "platform", "operating system", found,
            meaning=f"No servers are pinned for this processor ({' and '.join(_SYSTEMS[sys.platform])} have them), and "
            "PostgreSQL runs without namespaces, on a private copy of its template.",
            remedy="Name servers of your own: docs/services.md, and REALSERVICES_POSTGRES and REALSERVICES_REDIS.",
        )  # fmt: skip
    return Finding("platform", "operating system", found)


def check_python() -> Finding:
    """Look at the interpreter that runs this."""
    found = f"{platform.python_implementation()} {platform.python_version()} ({sys.executable})"
    if sys.version_info < _OLDEST_PYTHON:
        return error(
            "python", "Python", found,
            meaning="The package and its pytest plugin need Python 3.11 or newer.",
            remedy="Install Python 3.11 or newer; under Bazel, register a toolchain of it.",
        )  # fmt: skip
    return Finding("python", "Python", found)


def check_open_files() -> Finding:
    """Look at how many files a process may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f"{_limit(soft)} (hard limit {_limit(hard)})"
    if 0 <= soft < _FEW_FILES:
        can_raise = hard < 0 or hard >= _FEW_FILES
        tell = error if 0 <= hard < _LEAST_FILES else warning
        return tell(
            "open_files", "open files", found,
            meaning="Servers inherit this: Redis and PostgreSQL take fewer clients, and many connections at once fail. "
            f"With less than {_LEAST_FILES} PostgreSQL does not start.",
            remedy=f"ulimit -n {4096 if hard < 0 else min(hard, 4096)}" if can_raise else
            "As root: prlimit --nofile=4096 --pid $$, or nofile in /etc/security/limits.conf (docker run --ulimit "
            "nofile=4096)",
        )  # fmt: skip
    return Finding("open_files", "open files", found)


def check_processes() -> Finding:
    """Look at how many processes this user, or this container, may have."""
    limits = {"of the user": resource.getrlimit(resource.RLIMIT_NPROC)[0], "of the container": _container_limit()}
    found = ", ".join(f"{_limit(value)} {whose}" for whose, value in limits.items() if value is not None)
    lowest = min((value for value in limits.values() if value is not None and value >= 0), default=-1)
    if 0 <= lowest < _FEW_PROCESSES:
        return warning(
            "processes", "processes", found,
            meaning="A PostgreSQL is about ten processes, and its clients one each: a few tests at once exceed this.",
            remedy="ulimit -u 4096 (docker run --pids-limit=-1)",
        )  # fmt: skip
    return Finding("processes", "processes", found)


def check_settings() -> Finding:
    """Look at the variables that change how all of this works."""
    present = {name: os.environ[name] for name in _SETTINGS if os.environ.get(name)}
    wrong = []
    for variable in (CACHE_MB, TEMPLATE_CACHE_MB):
        try:
            cache_limit_bytes(variable)
        except RealServicesError as complaint:
            wrong.append(str(complaint))
    runtime = present.get(environment.RUNTIME, "")
    if runtime and not Path(runtime).is_file():
        wrong.append(f"{environment.RUNTIME}={runtime}: there is no such file")
    if wrong:
        names = " ".join(text.partition("=")[0] for text in wrong)
        return error(
            "settings", "settings", "; ".join(wrong),
            meaning="Tests fail when they read this.", remedy=f"Correct it, or: unset {names}",
        )  # fmt: skip
    return Finding("settings", "settings", ", ".join(f"{n}={v}" for n, v in present.items()) or "the defaults")


def _limit(value: int) -> str:
    return "no limit" if value < 0 else str(value)


def _container_limit() -> int | None:
    """Return the limit of the control group that this process is in, if it has one and it can be seen."""
    for path in ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"):
        try:
            return int(Path(path).read_text("ascii"))
        except (OSError, ValueError):
            continue  # Not this version of control groups, or "max".
    return None
