"""A template that another one begins from: what is in it is not built, copied or stored again.

The server of the new one runs on a writable view of the old one's unpacked tree in the machine's cache, on which tests
will stand, too. What it writes shows which files have changed, and only these become the new archive. Where the kernel
grants no such view there is a copy, whose files are compared where their times tell that they were written.

An archive of changes refers to one that is whole, never to another one of changes: so two are unpacked at most.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat

from realservices.contract.errors import InfrastructureError, TemplateError
from realservices.contract.template_info import load_template_info
from realservices.host.archive import member_names, unpack_archive
from realservices.host.namespaces import detach, mount_overlay_on
from realservices.host.template_tree import described_template, remove_names, unpack_private
from realservices.host.unpacked_templates import lease_base
from realservices.kinds.postgres.kind import KIND
from realservices.kinds.postgres.template.archive import files_of, sorted_tree, write_archive
from realservices.system.removal import discard_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from realservices.system.directory_cache import Lease

_CHUNK_BYTES = 1 << 20
_NAMES = {"database": str, "user": str}
_WHOLE = ("digest", "archive_digest", "size_bytes", "links")


class Base:
    """A template to begin from.

    Args:
        archive: Its archive.
        info: Path of its description.
        whole: If that is an archive of changes: the one that they refer to.

    Attributes:
        user: Its superuser.
        database: Its programs' database.

    Raises:
        OSError: The description cannot be read.
        TemplateError: It is none.
    """

    def __init__(self, archive: str, info: str, whole: str) -> None:
        try:
            self._info = load_template_info(KIND.template | _NAMES, info)
            self._template = described_template(self._info, archive, whole)
        except ValueError as error:
            raise TemplateError(f"cannot begin from {archive}: {info} does not describe it: {error}") from None
        self.user: str = self._info["user"]
        self.database: str = self._info["database"]
        self._whole = self._template.base or self._template
        self._lease: Lease | None = None
        self._data = self._upper = ""
        # What the template has beside the whole one; without a view, what it has, and with which content.
        self._laid: set[str] = set()
        self._contents: dict[str, bytes] = {}

    def lease(self) -> None:
        """Have the whole template in the machine's cache, if it has room, for a view of it in a mount namespace.

        Tests on what begins from it need that, too. A tree of one that lies between would be made for a single build.
        """
        with contextlib.suppress(OSError, InfrastructureError):  # No room, or no place for a shared tree.
            self._lease = lease_base(self._whole)

    def lay(self, data: str, changes: str) -> None:
        """Make the data directory.

        Args:
            data: Its path.
            changes: Path of a new directory for what is written.

        Raises:
            ArchiveError: An archive is damaged.
            OSError: There is no archive, no room, or no permission.
        """
        self._data = data
        if self._lease and self._view(self._lease.path, data, changes):
            return
        unpack_private(self._template, data, with_copies=False)
        self._laid = member_names(self._template.archive) if self._template.base else set()
        names = set(sorted_tree(data, self._template.copies))
        self._contents = {name: _content(f"{data}/{name}") for name in names}
        for name in names:
            os.utime(f"{data}/{name}", (0, 0), follow_symlinks=False)

    def _view(self, tree: str, data: str, changes: str) -> bool:
        """Make a view of the whole template with what this one has beside it; return whether that is possible here."""
        upper = f"{changes}/upper"
        os.mkdir(data, 0o700)
        os.mkdir(changes, 0o700)
        if self._template.base:
            # Not through the view: that would look for each file below, and note that it hides one.
            unpack_archive(self._template.archive, upper, digest=self._template.archive_digest)
            self._laid = set(sorted_tree(upper))
        try:
            # Volatile: else all that was written goes to the disk at the end, before it is removed.
            mount_overlay_on(tree, data, changes, is_volatile=True)
        except OSError:
            discard_tree(changes)
            os.rmdir(data)  # The scratch directory lies on a file system that overlays refuse.
            return False
        self._upper = upper
        remove_names(data, self._template.removed)
        for copy in self._template.copies:
            os.makedirs(f"{data}/{copy}", mode=0o700, exist_ok=True)
        return True

    def remove_view(self) -> None:
        """Unmount the view of the template."""
        if self._upper:
            detach(self._data)
            self._upper = ""

    def release(self) -> None:
        """Let go of the template."""
        if self._lease:
            self._lease.release()
            self._lease = None

    def check_server(self, version_num: int, distribution: str) -> None:
        """Refuse a server of another major version.

        Raises:
            TemplateError: It is one.
        """
        own, major = self._info["server_version_num"] // 10000, version_num // 10000
        if own != major:
            raise TemplateError(
                f"its base is a template of PostgreSQL {own}, and {distribution} has PostgreSQL {major}; "
                "both need the same major version: name the same distribution"
            )

    def write(self, data: str, archive: str, links: Mapping[str, str], *, is_part: bool) -> dict[str, Any]:
        """Write an archive of what has changed, and describe it.

        Args:
            data: The data directory.
            archive: Where to write it.
            links: Directories whose files are those of another one.
            is_part: Whether it is one in any case; else it is one of all, if most has changed.
        """
        files = files_of(data, links)
        changed = self._laid | self._changed()
        kept = {name for name, status in files.items() if name not in changed and not stat.S_ISDIR(status.st_mode)}
        size = sum(status.st_size for status in files.values())
        if not is_part and 2 * sum(files[name].st_size for name in kept) < size:
            return write_whole(data, archive, links)
        described = write_archive(data, archive, files, links, kept)
        removed = sorted(self._names_of_whole() - files.keys())
        digest = hashlib.sha256(
            json.dumps([self._whole.digest, described["archive_digest"], removed]).encode()
        ).hexdigest()
        info = self._info.get("base") or self._info
        base = {key: info[key] for key in _WHOLE}
        return {"digest": digest, **described, "links": links, "removed": removed, "base": base}

    def _names_of_whole(self) -> set[str]:
        if self._lease:
            return set(sorted_tree(self._lease.path, self._whole.copies))
        return member_names(self._whole.archive)

    def _changed(self) -> set[str]:
        """Return the names of what is not as it is in the whole template, beside what was laid over that."""
        if not (self._upper and self._lease):
            touched = [name for name, status in files_of(self._data).items() if status.st_mtime_ns]
            # As on an overlay: what is as it was has not changed, however often it was written.
            return {name for name in touched if not self._is_as_before(name)}
        # A file is there as soon as the server has opened it.
        tree, new = self._lease.path, set(sorted_tree(self._upper)) - self._laid
        return {name for name in new if not _is_same(f"{self._upper}/{name}", f"{tree}/{name}")}

    def _is_as_before(self, name: str) -> bool:
        content = _content(f"{self._data}/{name}")
        return bool(content) and content == self._contents.get(name)


def write_whole(data: str, archive: str, links: Mapping[str, str]) -> dict[str, Any]:
    """Write an archive of all, and describe it."""
    described = write_archive(data, archive, files_of(data, links), links)
    return {"digest": described["archive_digest"], **described, "links": links}


def _content(path: str) -> bytes:
    """Return a digest of a file's content, nothing for what is no file."""
    if os.path.islink(path) or not os.path.isfile(path):
        return b""
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").digest()


def _is_same(path: str, other: str) -> bool:
    """Return whether two are files with the same content."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) != os.path.getsize(other):
            return False
        with open(path, "rb", buffering=0) as file, open(other, "rb", buffering=0) as other_file:
            while chunk := file.read(_CHUNK_BYTES):
                if chunk != other_file.read(_CHUNK_BYTES):
                    return False
    except FileNotFoundError:
        return False
    return True
