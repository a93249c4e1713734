"""The machine's cache of unpacked templates: each is unpacked once and then shared by every launcher.

A template is a tar archive that a build action made. It lies unpacked in the registry under its digest, with which it
was compared when it was unpacked. Launchers lease it while their servers stand on it (system/directory_cache.py). A
launcher that needs room removes those that are not in use, the least recently used first.
"""

from __future__ import annotations

import errno
import os

from realservices.contract.user_variables import TEMPLATE_CACHE_MB
from realservices.host.template_tree import unpack_shared
from realservices.system.directory_cache import DirectoryCache, cache_limit_bytes
from realservices.system.registry_directory import present_registries, registry_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from realservices.host.template_tree import Template
    from realservices.system.directory_cache import Lease

# Space to leave in the file system of the cache: other programs keep shared memory there.
_RESERVE_BYTES = 16 << 20
_FOLDER, _MUTEX = "templates", "unpacking"
_WITHOUT_COPIES = "-base"


def lease_template(template: Template) -> Lease:
    """Return the unpacked template, unpacking it first if nobody has.

    What is unpacked is compared with its digest. Of a template that begins from another one, files that it has from
    there are links to those of the other's tree, which is unpacked first if need be.

    Args:
        template: What it is made from.

    Raises:
        OSError: No room (ENOSPC), no permission, or its name in the cache is taken by something else; the caller then
            unpacks a private copy elsewhere.
        ArchiveError: The archive is damaged.
        InfrastructureError: The setting of the cache's size is no number.
    """
    return _lease(_cache(registry_directory()), template)


def lease_base(template: Template) -> Lease:
    """Return the unpacked template as one that another one begins from: it may lack the files of its copies.

    They are most of its files, and nothing that begins from it has use for them.

    Raises:
        OSError, ArchiveError, InfrastructureError: As `lease_template`.
    """
    return _lease_base(_cache(registry_directory()), template)


def leased_if_made(template: Template) -> Lease | None:
    """Return the unpacked template if there is one; nobody unpacks it now.

    Raises:
        OSError: Its lock, or its directory, is not available.
    """
    return _cache(registry_directory()).lease_made(template.digest)


def _cache(registry: str) -> DirectoryCache:
    return DirectoryCache(f"{registry}/{_FOLDER}", _MUTEX, size_of=_tree_size)


def _lease(cache: DirectoryCache, template: Template) -> Lease:
    return cache.lease(
        template.digest, lambda path: _unpack(cache, template, path), lambda: _make_room(cache, template.size_bytes)
    )


def _lease_base(cache: DirectoryCache, template: Template) -> Lease:
    return cache.lease_made(template.digest) or cache.lease(
        f"{template.digest}{_WITHOUT_COPIES}",
        lambda path: unpack_shared(template, path, with_copies=False),
        lambda: _make_room(cache, template.size_bytes),
    )


def _unpack(cache: DirectoryCache, template: Template, path: str) -> None:
    if not template.base:
        unpack_shared(template, path)
        return
    base = _lease_base(cache, template.base)
    try:
        unpack_shared(template, path, base.path)
    finally:
        base.release()


def remove_half_made_templates() -> None:
    """Remove what a launcher that was killed while it unpacked has left, and all like it."""
    for registry in present_registries()[:1]:
        if os.path.isdir(f"{registry}/{_FOLDER}"):
            try:
                _cache(registry).remove_left()
            except OSError:
                continue


def _make_room(cache: DirectoryCache, size_bytes: int) -> None:
    def has_room() -> bool:
        return free_bytes(cache.path) > size_bytes + _RESERVE_BYTES

    cache.shrink(cache_limit_bytes(TEMPLATE_CACHE_MB), needed_bytes=size_bytes, has_room=has_room)
    if not has_room():
        _no_room(cache.path, size_bytes)


def _no_room(directory: str, size_bytes: int) -> NoReturn:
    raise OSError(
        errno.ENOSPC,
        f"{size_bytes >> 20} MB for a template do not fit; {free_bytes(directory) >> 20} MB are free",
        directory,
    )


def _tree_size(path: str) -> int:
    entries = (os.stat(f"{root}/{name}") for root, _, names in os.walk(path) for name in names)
    return sum(entry.st_size // entry.st_nlink for entry in entries)  # Links to one file take its space once.


def free_bytes(path: str) -> int:
    """Return how much an ordinary user may still write to the file system of ``path``."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
