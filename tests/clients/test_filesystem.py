"""A test's files: created and read by relative names, and no way out of the directory."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from realservices.clients import isolated_filesystem
from realservices.clients.isolated_filesystem import (
    BlockingFilesystem,
    IsolatedFilesystem,
    PathEscapesError,
    SizeLimitError,
    new_filesystem,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def files(tmp_path: Path) -> BlockingFilesystem:
    """A directory of the test's own."""
    return BlockingFilesystem(tmp_path / "files")


async def test_asynchronous_methods(tmp_path: Path) -> None:
    files = IsolatedFilesystem(tmp_path / "files")
    created = await files.create_file("config/test.json", '{"key": "value"}')
    assert created.exists()
    assert created == files.path("config/test.json")
    assert "key" in await files.read_file("config/test.json")
    await files.create_binary("raw", b"\x00\xff")
    assert await files.read_binary("raw") == b"\x00\xff"
    assert (await files.create_directory("a/b")).is_dir()
    assert await files.exists("a/b")
    assert [str(path) for path in await files.list_files()] == ["config/test.json", "raw"]
    await files.delete("config")
    assert not await files.exists("config/test.json")
    assert files.blocking.read_binary("raw") == b"\x00\xff"


def test_texts_keep_their_encoding(files: BlockingFilesystem) -> None:
    assert files.create_file("a", "grüß", encoding="latin-1").read_bytes() == "grüß".encode("latin-1")
    assert files.read_file("a", encoding="latin-1") == "grüß"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "is absolute"),
        ("../outside", "has a '..'"),
        ("a/../../outside", "has a '..'"),
        ("a/../inside", "has a '..'"),
        ("link", "symbolic link"),
        ("link/deeper", "symbolic link"),
        ("directory/link", "symbolic link"),
        ("dangling", "symbolic link"),
    ],
)
def test_paths_that_lead_out_are_refused(files: BlockingFilesystem, tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "outside").mkdir()
    (files.root / "link").symlink_to(tmp_path / "outside")
    (files.root / "dangling").symlink_to(tmp_path / "nowhere")
    files.create_directory("directory")
    (files.root / "directory" / "link").symlink_to("../../outside")
    attempts = (
        files.create_file,
        files.read_file,
        files.create_directory,
        files.exists,
        files.delete,
        files.list_files,
    )
    for attempt in attempts:
        with pytest.raises(PathEscapesError, match=reason) as caught:
            attempt(name)
        assert str(files.root) in str(caught.value)
    assert list((tmp_path / "outside").iterdir()) == []


def test_name_that_only_begins_like_the_directory_is_outside(files: BlockingFilesystem, tmp_path: Path) -> None:
    (tmp_path / "files-of-another").mkdir()
    (files.root / "link").symlink_to(tmp_path / "files-of-another")
    with pytest.raises(PathEscapesError):
        files.create_file("link/x")


def test_links_within_the_directory_are_followed(files: BlockingFilesystem) -> None:
    files.create_file("target", "x")
    files.path("link").symlink_to("target")
    assert files.read_file("link") == "x"
    files.delete("target")


def test_directory_itself_is_not_deleted(files: BlockingFilesystem) -> None:
    with pytest.raises(PathEscapesError, match="directory itself"):
        files.delete(".")
    assert files.path() == files.root


def test_everything_is_removed_at_the_end(files: BlockingFilesystem, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x", encoding="utf-8")
    files.create_file("a/b/c", "x")
    files.path("link").symlink_to(kept)
    os.chmod(files.path("a"), 0)
    files.remove_all()
    files.remove_all()
    assert not files.root.exists()
    assert (kept / "file").exists()


def test_directory_must_be_new(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        BlockingFilesystem(tmp_path)


def test_text_is_appended(files: BlockingFilesystem) -> None:
    assert files.append_file("logs/a", "first\n") == files.root / "logs" / "a"
    files.append_file("logs/a", "grüß\n", encoding="latin-1")
    assert files.read_binary("logs/a") == b"first\ngr\xfc\xdf\n"
    with pytest.raises(PathEscapesError):
        files.append_file("../a", "x")


async def test_asynchronous_append(tmp_path: Path) -> None:
    files = IsolatedFilesystem(tmp_path / "files")
    await files.append_file("a", "1")
    await files.append_file("a", "2")
    assert await files.read_file("a") == "12"


@pytest.mark.parametrize("write", ["create", "append"])
def test_directory_has_a_size_limit(tmp_path: Path, write: str) -> None:
    files = BlockingFilesystem(tmp_path / "files", limit_bytes=100)
    files.create_binary("kept", b"x" * 60)
    with pytest.raises(SizeLimitError, match=r"files/large .* 101 bytes large; its limit is 100 bytes.* limit_bytes"):
        files.create_binary("large", b"x" * 41) if write == "create" else files.append_file("large", "x" * 41)
    assert not files.exists("large")
    assert files.create_binary("fits", b"x" * 40).stat().st_size == 40


def test_what_is_gone_or_replaced_does_not_count(tmp_path: Path) -> None:
    files = BlockingFilesystem(tmp_path / "files", limit_bytes=100)
    for _ in range(5):
        files.create_binary("same", b"x" * 90)
    files.delete("same")
    files.create_binary("other", b"x" * 90)
    with pytest.raises(SizeLimitError) as caught:
        files.create_binary("more", b"x" * 20)
    assert (caught.value.size_bytes, caught.value.limit_bytes, caught.value.path) == (110, 100, files.root / "more")


def test_files_of_the_code_under_test_count_near_the_limit(tmp_path: Path) -> None:
    files = BlockingFilesystem(tmp_path / "files", limit_bytes=100)
    files.path("theirs").write_bytes(b"x" * 80)
    files.create_binary("ours", b"x" * 60)  # Not measured yet.
    with pytest.raises(SizeLimitError, match="would make the test's directory 181 bytes large"):
        files.append_file("ours", "x" * 41)


def test_limit_of_a_test_is_64_megabytes(tmp_path: Path) -> None:
    assert IsolatedFilesystem(tmp_path / "files").blocking.limit_bytes == 64 * 1024 * 1024
    assert IsolatedFilesystem(tmp_path / "more", limit_bytes=1).blocking.limit_bytes == 1


def test_by_default_it_is_in_the_users_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files = new_filesystem().blocking
    own = tmp_path / f"realservices-{os.geteuid()}"
    assert files.root.parent == own
    assert {own.stat().st_mode & 0o777, files.root.stat().st_mode & 0o777} == {0o700}
    files.create_file("a")
    files.remove_all()
    assert list(own.iterdir()) == []


def test_what_a_killed_run_has_left_is_removed_and_never_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = tmp_path / f"realservices-{os.geteuid()}"
    running = new_filesystem().blocking
    left = own / "files.0123456789ab"
    left.mkdir()
    (left / "file").write_text("of a killed run", "utf-8")
    isolated_filesystem._remove_left.cache_clear()
    files = new_filesystem().blocking
    assert not left.exists()
    assert running.root.exists()
    assert files.list_files() == []
    for each in (files, running):
        each.remove_all()
    assert list(own.iterdir()) == []
