"""The tree of a template's files, from one archive, or from two.

Then one is of the template that it begins from, whole, and the other one of what differs from that.

What many databases share is not in an archive: a description says which directories have the files of which others, and
which files of the first archive are gone.
"""

from __future__ import annotations

import os

from realservices.host.archive import unpack_archive
from realservices.system.removal import discard_tree, remove_tree
from realservices.system.writing import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any

_CHUNK_BYTES = 1 << 20
_DIRECTORY_MODE, _FILE_MODE = 0o700, 0o600


class Template:
    """What a template's tree is made from.

    Attributes:
        archive: Path of the tar file.
        digest: Of the whole tree, which names it.
        size_bytes: Of the archive's files.
        archive_digest: SHA-256 of the archive; by default that names the tree, too.
        copies: Directories whose files are those of another one.
        removed: What is in the base's tree and not in this one.
        base: The template that it begins from, whose archive is whole.
    """

    def __init__(self, archive: str, digest: str, size_bytes: int, *, archive_digest: str = "") -> None:
        self.archive = archive
        self.digest = digest
        self.size_bytes = size_bytes
        self.archive_digest = archive_digest or digest
        self.copies: Mapping[str, str] = {}
        self.removed: Collection[str] = ()
        self.base: Template | None = None

    @property
    def most_bytes(self) -> int:
        """How much the tree takes if nothing of its base is there yet."""
        return self.size_bytes + (self.base.most_bytes if self.base else 0)


def described_template(info: Mapping[str, Any], archive: str, base_archive: str = "") -> Template:
    """Return what a template is made from, by its description.

    Args:
        info: As the tool has written it (contract/template_info.py).
        archive: Its archive.
        base_archive: The archive of the template that it begins from, if it begins from one.
    """
    found = Template(archive, info["digest"], info["size_bytes"], archive_digest=info["archive_digest"])
    found.copies = info["links"]
    if info.get("base"):
        found.removed = info["removed"]
        found.base = described_template(info["base"], base_archive)
    return found


def unpack_shared(template: Template, target: str, base_tree: str = "", *, with_copies: bool = True) -> None:
    """Make a tree that nobody writes to: equal files are one, also between it and its base's tree.

    Args:
        template: What it is made from.
        target: A directory that does not exist yet; after a failure it does not exist again.
        base_tree: The tree of its base, if it has one.
        with_copies: Whether the copies are there.

    Raises:
        ArchiveError: The archive is damaged.
        OSError: No room or no permission.
    """
    if template.base:
        try:
            os.mkdir(target, _DIRECTORY_MODE)
            _fill(base_tree, target, os.link, without=template.base.copies)
            _lay_over(template, target, shares_links=True)
        except BaseException:
            discard_tree(target)
            raise
    else:
        unpack_archive(template.archive, target, digest=template.archive_digest, shares_links=True)
    if with_copies:
        _make_copies(template, target, os.link)


def unpack_private(template: Template, target: str, *, with_copies: bool = True) -> None:
    """Make a tree that a server may write to.

    Args:
        template: What it is made from.
        target: A directory that does not exist yet; after a failure it does not exist again.
        with_copies: Whether the copies have their files, or are empty.

    Raises:
        ArchiveError: An archive is damaged.
        OSError: No room or no permission.
    """
    whole = template.base or template
    unpack_archive(whole.archive, target, digest=whole.archive_digest)
    if template.base:
        try:
            _lay_over(template, target, shares_links=False)
        except BaseException:
            discard_tree(target)
            raise
    _make_copies(template, target, _copy_file if with_copies else _leave_out)


def remove_names(tree: str, names: Collection[str]) -> None:
    """Remove files and directories, by their paths in a tree.

    Raises:
        OSError: No permission.
    """
    for name in sorted(names, reverse=True):  # What is in a directory before that.
        remove_tree(f"{tree}/{name}")


def _lay_over(template: Template, target: str, *, shares_links: bool) -> None:
    remove_names(target, template.removed)
    unpack_archive(template.archive, target, digest=template.archive_digest, shares_links=shares_links, replaces=True)


def _make_copies(template: Template, target: str, put: Callable[[str, str], None]) -> None:
    try:
        for copy, original in template.copies.items():
            os.mkdir(f"{target}/{copy}", _DIRECTORY_MODE)
            _fill(f"{target}/{original}", f"{target}/{copy}", put)
    except BaseException:
        discard_tree(target)
        raise


def _fill(source: str, target: str, put: Callable[[str, str], None], without: Collection[str] = ()) -> None:
    """Put what is in a directory into another one, which is empty."""
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        with os.scandir(f"{source}/{inner}") as entries:
            for entry in entries:
                name = f"{inner}{entry.name}"
                if entry.is_symlink():
                    os.symlink(os.readlink(entry.path), f"{target}/{name}")
                elif not entry.is_dir():
                    put(f"{source}/{name}", f"{target}/{name}")
                elif name not in without:
                    os.mkdir(f"{target}/{name}", _DIRECTORY_MODE)
                    waiting.append(f"{name}/")


def _copy_file(source: str, target: str) -> None:
    with open(source, "rb", buffering=0) as source_file, open(target, "xb", buffering=0) as target_file:
        os.fchmod(target_file.fileno(), _FILE_MODE)
        while chunk := source_file.read(_CHUNK_BYTES):
            write_all(target_file.fileno(), chunk)


def _leave_out(source: str, target: str) -> None:
    """Put nothing there."""
