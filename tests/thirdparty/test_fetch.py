"""The fetch scripts without Bazel: locks, markers, and what is taken from a wheel."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fetch_binary import unpack
from fetch_site import dependencies, installed_path, is_for_one_version
from lock_file import marker_environment, read_lock
from pip_wheels import PLATFORM_TAGS, FetchError, Requirement, download
from verify_pins import BINARIES, load_bzl, pins

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
    heads = {("Package", "Version"), ("---", "---")}
    assert documented - heads == pinned


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
    assert unpack(wheel, root="root", keep=["bin/*", "lib/*"], drop=["*.a"]) == 2
    assert (tmp_path / "bin" / "server").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "lib" / "a.so").stat().st_mode & 0o777 == 0o644
    assert not (tmp_path / "lib" / "a.a").exists()


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
