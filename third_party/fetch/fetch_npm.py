"""Fetch one npm package and keep files of it. Run by `rules/private/npm_fetch.bzl`.

Usage: `python3 fetch_npm.py REQUEST.json`, in the directory of the repository. The request holds the attributes of the
repository rule, and `npm`: the machine's npm, or "". Exit status 1 with a message for the user on stderr when the
package cannot be had.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile

from archive_members import Members, matches, relocated, told_if_damaged
from npm_package import npm_from_wheel, pack
from pip_wheels import FetchError, Requirement

_DOWNLOADS = "downloads"
_CHUNK_BYTES = 1 << 20


def unpack(archive: str, *, keep: list[str], drop: list[str], relocate: list[list[str]], links: str) -> None:
    """Write members of a package's archive into the current directory.

    Args:
        archive: path of the .tgz.
        keep: patterns of members, relative to the package; `*` also matches `/`.
        drop: patterns to leave out among those.
        relocate: pairs of the beginning of a member's path and what takes its place; the first that fits counts.
        links: the package's list of symbolic links, which npm does not pack; empty if it has none.

    Raises:
        FetchError: the archive has no such file, is damaged, or a member does not stay in the directory.
    """
    members, written = Members(archive), {}
    wanted_links = b"[]"
    with told_if_damaged(archive), tarfile.open(archive) as package:
        for member in package:
            # npm's archives have everything in one folder, by custom `package`.
            path = member.name.partition("/")[2]
            if path == links and member.isfile():
                wanted_links = package.extractfile(member).read()  # type: ignore[union-attr] # a file has content
            if member.isfile() and matches(path, keep) and not matches(path, drop):
                written[path] = relocated(path, relocate)
                members.add(written[path])
                _write(package, member, written[path])
    if not written:
        raise FetchError(f"{os.path.basename(archive)} has no file like {keep}")
    for link in json.loads(wanted_links):
        if link["source"] in written:
            path, source = relocated(link["target"], relocate), written[link["source"]]
            target = os.path.relpath(source, os.path.dirname(path))
            members.add(path)
            members.check_link(path, target)
            os.symlink(target, path)


def _write(package: tarfile.TarFile, member: tarfile.TarInfo, target: str) -> None:
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    source = package.extractfile(member)
    try:
        with open(target, "xb") as out:  # What another package has put there stays.
            shutil.copyfileobj(source, out, _CHUNK_BYTES)  # type: ignore[arg-type] # a file has content
    except FileExistsError:
        raise FetchError(f"member {member.name!r} is not unpacked: there is a {target} already") from None
    except BaseException:
        os.unlink(target)  # An archive may turn out to be damaged in the middle.
        raise
    os.chmod(target, 0o755)  # noqa: S103 - executable, as npm makes what it installs


def main(request_file: str) -> None:
    """Do what the request asks; see the module docstring."""
    with open(request_file, encoding="utf-8") as source:
        request = json.load(source)
    downloads = os.path.abspath(_DOWNLOADS)
    try:
        npm = [request["npm"]] if request["npm"] else _npm_from_wheel(request, downloads)
        archive = pack(
            npm,
            request["package"],
            request["version"],
            integrity=request["integrity"],
            directory=os.path.join(downloads, "package"),
            remedies=request["remedies"],
        )
        unpack(archive, **{name: request[name] for name in ("keep", "drop", "relocate", "links")})
    finally:
        shutil.rmtree(downloads, ignore_errors=True)


def _npm_from_wheel(request: dict[str, str], downloads: str) -> list[str]:
    sha256 = "sha256:" + request["node_sha256"]
    requirement = Requirement(request["node_package"], request["node_version"], [sha256])
    directory = os.path.join(downloads, "node")
    machine, remedies = request["machine"], request["remedies"]
    return npm_from_wheel(requirement, platform=machine, directory=directory, remedies=remedies)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except FetchError as error:
        sys.exit(str(error))
