"""The user's cache of templates for sessions outside of Bazel: a schema is built once, not once a session.

A template lies under the digest of everything that it is made from. It is built beside its place and renamed, under a
lock, so that two sessions that need the same one build it once. What nobody uses is removed when the cache grows.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.contract.errors import TemplateError
from realservices.sources.package import package_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.sources.recipes import Recipe

ARCHIVE, INFO = "template.tar", "template.json"
_LIMIT_VARIABLE = "REALSERVICES_CACHE_MB"
_DEFAULT_LIMIT_MB = 512
# The tool's words, and those of the servers that it runs.
_FULL = os.strerror(errno.ENOSPC)


@contextlib.contextmanager
def template(recipe: Recipe) -> Iterator[Path]:
    """Give the directory with a service's template and its description, which stays for as long as it is used.

    Raises:
        TemplateError: The server refuses a statement, or there is no room for what it makes.
    """
    directory = cache_directory()
    path = directory / recipe.digest
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = _open_lock(path)
    except OSError as error:
        raise _no_room(directory, error.strerror or str(error)) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        if not path.is_dir():
            _build_once(path, recipe.command)
        os.utime(lock)
        yield path
    finally:
        os.close(lock)


def cache_directory() -> Path:
    """Return where templates are kept: below XDG_CACHE_HOME, or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rules_realservices" / "templates"


def _build_once(path: Path, command: list[str]) -> None:
    # A lock of its own: those who are done keep the other one for as long as they use the template.
    mutex = os.open(f"{path}.building", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        if not path.is_dir():
            _make_room(path.parent)
            _build(path, command)
    finally:
        os.close(mutex)


def _build(path: Path, command: list[str]) -> None:
    partial = Path(f"{path}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # Of a session that was killed while it built this one.
    partial.mkdir()
    outputs = ["--output", str(partial / ARCHIVE), "--info", str(partial / INFO)]
    done = _made(package_command(*command, *outputs))
    if done.returncode:
        shutil.rmtree(partial, ignore_errors=True)
        if _FULL in done.stderr:
            raise _no_room(path.parent, _FULL)
        words = (done.stdout + done.stderr).strip()
        raise TemplateError(words or f"the template tool ended with code {done.returncode}, and said nothing")
    partial.rename(path)


def _no_room(directory: Path, cause: str) -> TemplateError:
    return TemplateError(
        f"no room for a template in {directory}: {cause}; make room there (`python -m realservices clean --templates` "
        "removes templates that nobody uses), or set XDG_CACHE_HOME to a directory that can be written to"
    )


def _made(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the template tool, which ends with this process whatever ends that: nobody else has this end of the pipe."""
    theirs, ours = os.pipe()
    try:
        # A session of its own: Ctrl-C must not end it without what it has started.
        tool = subprocess.Popen(
            [*command, "--lifeline", str(theirs)], pass_fds=[theirs], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    with tool:
        try:
            output, errors = tool.communicate()
        finally:
            os.close(ours)
    return subprocess.CompletedProcess(tool.args, tool.returncode, output, errors)


def _make_room(directory: Path) -> None:
    """Remove the templates that were not used for longest, until the others are within the limit."""
    limit = int(os.environ.get(_LIMIT_VARIABLE) or _DEFAULT_LIMIT_MB) << 20
    kept = []
    for path in directory.iterdir():
        if path.is_dir() and not path.suffix:
            with contextlib.suppress(OSError):
                kept.append((Path(f"{path}.lock").stat().st_mtime, (path / ARCHIVE).stat().st_size, path))
    used = sum(size for _, size, _ in kept)
    for _, size, path in sorted(kept):
        if used <= limit:
            return
        used -= size * _remove(path)


def _remove(path: Path) -> bool:
    lock = _open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False  # Somebody uses it.
    else:
        shutil.rmtree(path, ignore_errors=True)
        return True
    finally:
        os.close(lock)


def _open_lock(path: Path) -> int:
    return os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
