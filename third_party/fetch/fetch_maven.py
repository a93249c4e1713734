"""Fetch one archive of Maven and keep files of it. Run by `rules/private/maven_binary_repo.bzl`.

Usage: `python3 fetch_maven.py REQUEST.json`, in the directory of the repository. The request holds the attributes of
the repository rule, and `mvn`: the machine's Maven, or "". Exit status 1 with a message for the user on stderr when
the archive cannot be had.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys

from fetch_binary import unpack
from pip_wheels import FetchError

_DOWNLOADS = "downloads"
_LAST_LINES = 15
# ELF's header (https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html), of 64 bits.
_ELF_64 = b"\x7fELF\x02"
_SEGMENT_TABLE, _SECTION_TABLE = slice(32, 40), slice(40, 48)
_SEGMENT_SIZE, _SEGMENT_COUNT, _SECTION_COUNTS = slice(54, 56), slice(56, 58), slice(60, 64)


def main(request_file: str) -> None:
    """Do what the request asks; see the module docstring."""
    with open(request_file, encoding="utf-8") as source:
        request = json.load(source)
    downloads = os.path.abspath(_DOWNLOADS)
    try:
        archive = download_maven(
            request["mvn"],
            request["package"],
            request["version"],
            sha256=request["sha256"],
            directory=downloads,
            remedies=request["remedies"],
        )
        count = unpack(archive, root=request["root"], keep=request["keep"], drop=[], relocate=[])
        if count == 0:
            raise FetchError(
                f"{os.path.basename(archive)} has no file like {request['keep']} below {request['root']!r}"
            )
    finally:
        shutil.rmtree(downloads, ignore_errors=True)
    for program in request["strip"]:
        strip(program)


def download_maven(mvn: str, package: str, version: str, *, sha256: str, directory: str, remedies: str) -> str:
    """Have Maven fetch an archive, from wherever it is set up to; return its path.

    Args:
        mvn: Path of the program, "" if there is none.
        package: group:artifact.
        version: of the artifact.
        sha256: what the archive's must be, in hex.
        directory: where it goes.
        remedies: what the user can do where it cannot be fetched.

    Raises:
        FetchError: It cannot be fetched, or is another one.
    """
    name = f"{package}:{version}"
    if not mvn:
        raise FetchError(f"{name} comes by Maven, and there is no mvn on PATH.\n{remedies}")
    command = [
        mvn,
        "--batch-mode",
        "--quiet",
        "dependency:copy",
        f"-Dartifact={name}:jar",
        f"-DoutputDirectory={directory}",
    ]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    path = os.path.join(directory, f"{package.partition(':')[2]}-{version}.jar")
    if done.returncode or not os.path.exists(path):
        words = "\n".join(done.stdout.decode(errors="replace").splitlines()[-_LAST_LINES:])
        raise FetchError(f"Maven cannot fetch {name} (exit code {done.returncode}):\n{words}\n{remedies}")
    _check(path, sha256)
    return path


def _check(path: str, sha256: str) -> None:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    if digest.hexdigest() != sha256:
        raise FetchError(
            f"{os.path.basename(path)} has the SHA-256 {digest.hexdigest()}, and {sha256} is pinned: Maven's "
            "repository serves another file, or its cache has a damaged one; remove that and fetch again"
        )


def strip(path: str) -> None:
    """Cut off what no segment of a program loads: sections for debuggers, which lie behind all segments.

    Raises:
        FetchError: It is no program of 64 bits.
    """
    with open(path, "r+b") as file:
        header = bytearray(file.read(64))
        if not header.startswith(_ELF_64):
            raise FetchError(f"{path} is no ELF file of 64 bits, and cannot be stripped")
        size, count = _number(header[_SEGMENT_SIZE]), _number(header[_SEGMENT_COUNT])
        file.seek(_number(header[_SEGMENT_TABLE]))
        table = file.read(size * count)
        segments = [table[start : start + size] for start in range(0, size * count, size)]
        end = max(_number(segment[8:16]) + _number(segment[32:40]) for segment in segments)
        header[_SECTION_TABLE] = bytes(8)
        header[_SECTION_COUNTS] = bytes(4)
        file.seek(0)
        file.write(header)
        file.truncate(end)


def _number(data: bytes | bytearray) -> int:
    return int.from_bytes(data, "little")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except FetchError as error:
        sys.exit(str(error))
