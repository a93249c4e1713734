"""Fetch one npm package and keep one file of it. Run by `rules/private/npm_binary_repo.bzl`.

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

from archive_members import told_if_damaged
from npm_package import npm_from_wheel, pack
from pip_wheels import FetchError, Requirement

_DOWNLOADS = "downloads"
_CHUNK_BYTES = 1 << 20


def unpack(archive: str, *, keep: str, target: str) -> None:
    """Write one member of a package's archive.

    Args:
        archive: path of the .tgz.
        keep: the member, relative to the package.
        target: path to write.

    Raises:
        FetchError: the archive has no such file, or is damaged.
    """
    with told_if_damaged(archive), tarfile.open(archive) as package:
        for member in package:
            # npm's archives have everything in one folder, by custom `package`.
            if member.isfile() and member.name.partition("/")[2] == keep:
                source = package.extractfile(member)
                try:
                    with open(target, "wb") as out:
                        shutil.copyfileobj(source, out, _CHUNK_BYTES)  # type: ignore[arg-type] # a file has content
                except BaseException:
                    os.unlink(target)  # An archive may turn out to be damaged in the middle.
                    raise
                os.chmod(target, 0o755)  # noqa: S103 - executable, as npm has it
                return
    raise FetchError(f"{os.path.basename(archive)} has no file {keep!r}")


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
        unpack(archive, keep=request["keep"], target=request["output"])
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
