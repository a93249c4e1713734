"""The archive of a template: a tar that is the same for the same files, and holds equal content once."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def write_archive(data: str, output: str) -> dict[str, str | int]:
    """Write the data directory as a tar with fixed order, times and owners, and describe it.

    Files with the same content, which are most of those of five databases, are stored once and linked.
    """
    os.unlink(os.path.join(data, "postmaster.opts"))
    first_with: dict[bytes, str] = {}
    sizes = {"size_bytes": 0, "copy_size_bytes": 0}
    with tarfile.open(output, "w", format=tarfile.USTAR_FORMAT) as tar:
        for path in _sorted_tree(data):
            member = tar.gettarinfo(path, os.path.relpath(path, data))
            member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
            if not member.isreg():
                tar.addfile(member)
                continue
            with open(path, "rb") as file:
                content = file.read()
            sizes["copy_size_bytes"] += len(content)
            original = first_with.setdefault(hashlib.sha256(content).digest(), member.name) if content else member.name
            if original == member.name:
                sizes["size_bytes"] += len(content)
                tar.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname, member.size = tarfile.LNKTYPE, original, 0
                tar.addfile(member)
    with open(output, "rb") as file:
        return {"digest": hashlib.file_digest(file, "sha256").hexdigest(), **sizes}


def _sorted_tree(top: str) -> Iterator[str]:
    for root, directories, files in os.walk(top):
        directories.sort()
        for name in sorted((*directories, *files)):
            yield os.path.join(root, name)
