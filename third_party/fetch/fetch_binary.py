"""Fetch one wheel and keep the service binaries in it. Run by `rules/private/wheel_binary_repo.bzl`.

Usage: `python3 fetch_binary.py REQUEST.json`, in the directory of the repository. The request holds the attributes
of the repository rule. Exit status 1 with a message for the user on stderr when the wheel cannot be had.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import zipfile

from archive_members import Members, matches, relocated, told_if_damaged
from pip_wheels import FetchError, Requirement, download

_DOWNLOADS = "downloads"


def unpack(wheel: str, *, root: str, keep: list[str], drop: list[str], relocate: list[list[str]]) -> int:
    """Extract members below `root` into the current directory.

    Args:
        wheel: path of the wheel.
        root: folder inside the wheel whose members are taken, without its own name; empty for all.
        keep: patterns of paths below `root` to extract; `*` also matches `/`.
        drop: patterns to leave out among those.
        relocate: pairs of the beginning of a path and what takes its place; the first that fits counts.

    Returns:
        How many files were written.

    Raises:
        FetchError: the wheel is damaged, or a member does not stay in the directory.
    """
    prefix = root + "/" if root else ""
    members = Members(wheel)
    count = 0
    with told_if_damaged(wheel), zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            path = member.filename[len(prefix) :]
            if member.is_dir() or not member.filename.startswith(prefix):
                continue
            if not matches(path, keep) or matches(path, drop):
                continue
            target = relocated(path, relocate)
            members.add(target)
            _write(archive, member, target, members)
            count += 1
    return count


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: str, members: Members) -> None:
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        link = archive.read(member).decode("utf-8", "surrogateescape")
        members.check_link(target, link)
        os.symlink(link, target)
        return
    with archive.open(member) as source, open(target, "wb") as out:
        shutil.copyfileobj(source, out, 1024 * 1024)
    # zipfile drops modes; servers must stay executable.
    os.chmod(target, 0o755 if mode & 0o111 else 0o644)


def main(request_file: str) -> None:
    """Do what the request asks; see the module docstring."""
    with open(request_file, encoding="utf-8") as source:
        request = json.load(source)
    requirement = Requirement(request["package"], request["version"], ["sha256:" + request["sha256"]])
    wheels = download(
        [requirement],
        platform=request["platform"],
        python_version=request["python_version"],
        directory=os.path.abspath(_DOWNLOADS),
        remedies=request["remedies"],
        wheels=request["wheels"],
    )
    count = unpack(wheels[0], root=request["root"], **{name: request[name] for name in ("keep", "drop", "relocate")})
    shutil.rmtree(_DOWNLOADS)
    shutil.rmtree(request["wheels"], ignore_errors=True)
    if count == 0:
        name = os.path.basename(wheels[0])
        raise FetchError(f"{name} has no file like {request['keep']} below {request['root']!r}")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except FetchError as error:
        sys.exit(str(error))
