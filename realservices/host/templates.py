"""The machine's cache of unpacked templates: each is unpacked once and then shared by every launcher.

A template is a tar archive that a build action made. It lies unpacked in the registry under its digest; launchers
hold a shared lock on it while their servers stand on it, and whoever needs room removes the ones that nobody holds,
the least recently used first.
"""

from __future__ import annotations

import errno
import fcntl
import os

from realservices.contract.errors import InfrastructureError
from realservices.contract.registry import registry_directory
from realservices.host.removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

# Unpacked templates are kept up to this size in all; the variable overrides it.
_LIMIT_VARIABLE = "REALSERVICES_TEMPLATE_CACHE_MB"
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
        InfrastructureError: The setting of the cache's size is no number.
    """
    directory = registry_directory() + "/templates"
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = f"{directory}/{digest}"
    lock = _open_lock(f"{path}.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        if not os.path.isdir(path):
            _unpack_once(archive, path, size_bytes)
        os.utime(lock)
    except BaseException:
        os.close(lock)
        raise
    return TemplateLease(path, lock)


def _unpack_once(archive: str, path: str, size_bytes: int) -> None:
    # A lock of its own: those who are done keep the other one for as long as their tests run, so that an exclusive
    # lock on that is not to be had.
    mutex = _open_lock(f"{path}.unpacking")
    try:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        if not os.path.isdir(path):
            directory, digest = os.path.split(path)
            _remove_abandoned(directory, digest)
            _make_room(directory, size_bytes)
            _unpack_whole(archive, path)
    finally:
        os.close(mutex)


def _open_lock(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def unpack_template(archive: str, target: str, *, is_written: bool) -> None:
    """Unpack ``archive`` into the new directory ``target``, for its owner only.

    Args:
        archive: The tar file. Files of the same content are hard links in it.
        target: A directory that does not exist yet; after a failure it does not exist again.
        is_written: Whether a server will write to it: then each file must have its own content. What only lies below
            an overlay may share.

    Raises:
        OSError: No room, no permission, or no whole archive.
    """
    import tarfile  # noqa: PLC0415 - 13 ms that only the first use of a template pays

    os.mkdir(target, 0o700)
    try:
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
    except BaseException as error:
        remove_tree(target)
        if isinstance(error, tarfile.TarError):
            raise OSError(errno.EIO, f"damaged archive: {error}", archive) from None
        raise


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _unpack_whole(archive: str, path: str) -> None:
    partial = f"{path}.{os.getpid()}.partial"
    unpack_template(archive, partial, is_written=False)
    os.rename(partial, path)


def _make_room(directory: str, size_bytes: int) -> None:
    limit = _limit_bytes()
    kept = _cached(directory)
    used = sum(size for _, _, size in kept)
    for _, digest, size in sorted(kept):
        if used + size_bytes <= limit and free_bytes(directory) > size_bytes + _RESERVE_BYTES:
            return
        if _evict(directory, digest):
            used -= size
    if free_bytes(directory) <= size_bytes + _RESERVE_BYTES:
        _no_room(directory, size_bytes)


def _limit_bytes() -> int:
    text = os.environ.get(_LIMIT_VARIABLE, "")
    if text and not text.isdigit():
        raise InfrastructureError("templates", f"{_LIMIT_VARIABLE}={text!r} is not a number of megabytes")
    return int(text or _DEFAULT_LIMIT_MB) << 20


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
    lock = _lock_unused(path)
    if lock is None:
        return False
    try:
        # Renamed first: a launcher that gets the lock after us must not find half a template.
        partial = f"{path}.{os.getpid()}.partial"
        os.rename(path, partial)
        remove_tree(partial)
        return True
    except OSError:
        return False
    finally:
        os.close(lock)


def _remove_abandoned(directory: str, own_digest: str) -> None:
    """Remove what killed launchers left half unpacked or half removed; the caller is the one that unpacks its own.

    Of every template: nobody may ever ask for that one again, as it was built before the last change of a migration.
    """
    for entry in os.scandir(directory):
        digest, _, rest = entry.name.partition(".")
        if not rest.endswith("partial"):
            continue
        lock = None if digest == own_digest else _lock_unused(f"{directory}/{digest}")
        if lock is not None or digest == own_digest:
            remove_tree(entry.path)
        if lock is not None:
            os.close(lock)


def _lock_unused(path: str) -> int | None:
    """Lock a template that nobody uses, unpacks or removes; return the descriptor, or None if somebody does."""
    lock = _open_lock(f"{path}.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _tree_size(path: str) -> int:
    entries = (os.stat(f"{root}/{name}") for root, _, names in os.walk(path) for name in names)
    return sum(entry.st_size // entry.st_nlink for entry in entries)  # Links to one file take its space once.


def free_bytes(path: str) -> int:
    """Return how much an ordinary user may still write to the file system of ``path``."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
