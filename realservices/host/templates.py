"""The machine's cache of unpacked templates: each is unpacked once and then shared by every launcher.

A template is a tar archive that a build action made. It lies unpacked in the registry under its digest; launchers
hold a shared lock on it while their servers stand on it, and whoever needs room removes the ones that nobody holds,
the least recently used first.
"""

from __future__ import annotations

import errno
import fcntl
import os

from realservices.host.registry import registry_directory
from realservices.host.sandbox import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

# Unpacked templates are kept up to this size in all; REALSERVICES_TEMPLATE_CACHE_MB overrides.
_DEFAULT_LIMIT_MB = 512
# Space to leave in the file system of the cache: other programs keep shared memory there.
_RESERVE_BYTES = 16 << 20


class TemplateLease:
    """A template that stays in place until `release`.

    Attributes:
        path: The unpacked directory. Nobody may write to it.
    """

    def __init__(self, path: str, lock: int | None) -> None:
        self.path = path
        self._lock = lock

    def release(self) -> None:
        """Let go of the template; it may then be removed to make room."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def lease_template(archive: str, digest: str, size_bytes: int) -> TemplateLease:
    """Return the unpacked template, unpacking it first if nobody has.

    Args:
        archive: The tar file.
        digest: Its SHA-256 in hexadecimal, the name in the cache.
        size_bytes: Size when unpacked.

    Raises:
        OSError: No room (ENOSPC) or no permission; the caller then unpacks a private copy elsewhere.
    """
    directory = registry_directory() + "/templates"
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = f"{directory}/{digest}"
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        while not os.path.isdir(path):
            # flock cannot upgrade atomically: whoever gets the exclusive lock looks again.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.isdir(path):
                _remove_partial(directory, digest)
                _make_room(directory, size_bytes)
                _unpack_whole(archive, path)
            fcntl.flock(lock, fcntl.LOCK_SH)
        os.utime(lock)
    except BaseException:
        os.close(lock)
        raise
    return TemplateLease(path, lock)


def unpack_template(archive: str, target: str, *, is_written: bool) -> None:
    """Unpack ``archive`` into the new directory ``target``, for its owner only.

    Args:
        archive: The tar file. Files of the same content are hard links in it.
        target: A directory that does not exist yet.
        is_written: Whether a server will write to it: then each file must have its own content. What only lies below
            an overlay may share.
    """
    import tarfile  # noqa: PLC0415 - 13 ms that only the first use of a template pays

    os.mkdir(target, 0o700)
    with tarfile.open(archive) as tar:
        for member in tar:
            path = os.path.join(target, member.name)
            if member.isdir():
                os.mkdir(path, 0o700)
            elif member.islnk() and not is_written:
                os.link(os.path.join(target, member.linkname), path)
            else:
                content = tar.extractfile(member)
                with open(path, "xb", opener=_private_opener) as file:
                    file.write(content.read() if content else b"")


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _unpack_whole(archive: str, path: str) -> None:
    partial = f"{path}.{os.getpid()}.partial"
    try:
        unpack_template(archive, partial, is_written=False)
        os.rename(partial, path)
    except BaseException:
        remove_tree(partial)
        raise


def _make_room(directory: str, size_bytes: int) -> None:
    limit = int(os.environ.get("REALSERVICES_TEMPLATE_CACHE_MB", _DEFAULT_LIMIT_MB)) << 20
    kept = _cached(directory)
    used = sum(size for _, _, size in kept)
    for _, digest, size in sorted(kept):
        if used + size_bytes <= limit and free_bytes(directory) > size_bytes + _RESERVE_BYTES:
            return
        if _evict(directory, digest):
            used -= size
    if free_bytes(directory) <= size_bytes + _RESERVE_BYTES:
        _no_room(directory, size_bytes)


def _no_room(directory: str, size_bytes: int) -> NoReturn:
    raise OSError(
        errno.ENOSPC,
        f"{size_bytes >> 20} MB for a template do not fit; {free_bytes(directory) >> 20} MB are free",
        directory,
    )


def _cached(directory: str) -> list[tuple[float, str, int]]:
    """Return last use, digest and size of every template in the cache."""
    found = []
    for entry in os.scandir(directory):
        if entry.is_dir() and "." not in entry.name:
            try:
                found.append((os.stat(entry.path + ".lock").st_mtime, entry.name, _tree_size(entry.path)))
            except OSError:
                continue  # Another launcher is removing it.
    return found


def _evict(directory: str, digest: str) -> bool:
    path = f"{directory}/{digest}"
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Renamed first: a launcher that gets the lock after us must not find half a template.
        partial = f"{path}.{os.getpid()}.partial"
        os.rename(path, partial)
        remove_tree(partial)
        return True
    except OSError:
        return False
    finally:
        os.close(lock)


def _remove_partial(directory: str, digest: str) -> None:
    """Remove what a killed launcher left half unpacked; the caller holds the exclusive lock."""
    for entry in os.scandir(directory):
        if entry.name.startswith(digest + ".") and entry.name.endswith(".partial"):
            remove_tree(entry.path)


def _tree_size(path: str) -> int:
    return sum(os.stat(f"{root}/{name}").st_size for root, _, names in os.walk(path) for name in names)


def free_bytes(path: str) -> int:
    """Return how much an ordinary user may still write to the file system of ``path``."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
