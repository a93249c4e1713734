"""The user's cache of PostgreSQL templates for sessions outside of Bazel: a schema is built once, not once a session.

A template lies under the digest of everything that it is made from. It is built beside its place and renamed, under a
lock, so that two sessions that need the same one build it once. What nobody uses is removed when the cache grows.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import realservices
from realservices.contract.errors import TemplateError
from realservices.sources.package import package_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.sources.declarations import Declaration

ARCHIVE, INFO = "template.tar", "template.json"
_LIMIT_VARIABLE = "REALSERVICES_CACHE_MB"
_DEFAULT_LIMIT_MB = 512
# A template holds what these make of it: with another one of them it is another template.
_MAKERS = ("postgres_template.py", "postgres_archive.py", "postgres_cluster.py", "postgres_settings.py")


@contextlib.contextmanager
def template(declaration: Declaration, distribution: Path, user: str, database: str) -> Iterator[Path]:
    """Give the directory with a service's template and its description, which stays for as long as it is used.

    Raises:
        TemplateError: PostgreSQL refuses a migration, a seed or an extension.
        SettingError: A file is not there.
    """
    arguments, digest = _recipe(declaration, distribution, user, database)
    directory = cache_directory()
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / digest
    lock = _open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        if not path.is_dir():
            _build_once(path, arguments)
        os.utime(lock)
        yield path
    finally:
        os.close(lock)


def cache_directory() -> Path:
    """Return where templates are kept: below XDG_CACHE_HOME, or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rules_realservices" / "templates"


def _build_once(path: Path, arguments: list[str]) -> None:
    # A lock of its own: those who are done keep the other one for as long as they use the template.
    mutex = os.open(f"{path}.building", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        if not path.is_dir():
            _make_room(path.parent)
            _build(path, arguments)
    finally:
        os.close(mutex)


def _build(path: Path, arguments: list[str]) -> None:
    partial = Path(f"{path}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # Of a session that was killed while it built this one.
    partial.mkdir()
    outputs = ["--output", str(partial / ARCHIVE), "--info", str(partial / INFO)]
    done = subprocess.run(
        package_command("template", *arguments, *outputs), capture_output=True, text=True, check=False
    )
    if done.returncode:
        shutil.rmtree(partial, ignore_errors=True)
        raise TemplateError(done.stderr.strip() or f"the template tool ended with code {done.returncode}")
    partial.rename(path)


def _recipe(declaration: Declaration, distribution: Path, user: str, database: str) -> tuple[list[str], str]:
    """Return the arguments of the template tool, and a digest of all that they stand for."""
    values = declaration.values
    arguments = ["--label", declaration.where, "--distribution", str(distribution)]
    arguments += ["--database", database, "--user", user]
    contents: list[str] = []
    for key, option in (("migrations", "--migration"), ("seeds", "--seed")):
        for file in declaration.files(key):
            arguments += [option, f"{os.path.relpath(file, declaration.root)}={file}"]
            contents.append(hashlib.sha256(file.read_bytes()).hexdigest())
    for extension in values.get("extensions", ()):
        arguments += ["--extension", extension]
    for name, value in values.get("settings", {}).items():
        arguments += ["--setting", f"{name}={value}"]
    status = (distribution / "bin" / "postgres").stat()
    made_of = [arguments, contents, status.st_size, status.st_mtime_ns, realservices.__version__, _makers()]
    return arguments, hashlib.sha256(json.dumps(made_of).encode()).hexdigest()


def _makers() -> list[str]:
    directory = Path(realservices.__file__).parent / "services"
    if not directory.is_dir():
        return []
    return [hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in _MAKERS]


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
