"""Archives of templates: what is unpacked and what is refused, of all kinds of tar files that are not ours."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from realservices.contract.errors import ArchiveError
from realservices.host.archive import member_names, unpack_archive


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    """Return the header of a member."""
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    return found


def write(path: Path, *members: tarfile.TarInfo, content: bytes = b"content") -> Path:
    """Write an archive; all files in it have the same content."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for each in members:
            each.size = len(content) if each.isreg() else 0
            tar.addfile(each, io.BytesIO(content))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the directory to unpack to."""
    return tmp_path / "inside" / "target"


@pytest.fixture
def unpack(tmp_path: Path, target: Path) -> Callable[..., None]:
    """Return what unpacks members, and checks that a refusal leaves nothing."""
    target.parent.mkdir()

    def do(*members: tarfile.TarInfo, change: Callable[[bytes], bytes] = lambda content: content) -> None:
        archive = write(tmp_path / "template.tar", *members)
        archive.write_bytes(change(archive.read_bytes()))
        before = _names(tmp_path)
        try:
            unpack_archive(str(archive), str(target))
        except Exception:
            assert _names(tmp_path) == before
            raise

    return do


def _names(directory: Path) -> list[str]:
    return sorted(str(path) for path in directory.rglob("*"))


_DIRECTORY = member("d", tarfile.DIRTYPE)
_FILE = member("d/file")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([member("/etc/passwd")], "member '/etc/passwd': its name ('/etc/passwd') does not stay in the directory"),
        ([member("../file")], "member '../file': its name ('../file') does not stay in the directory"),
        ([_DIRECTORY, member("d/../../file")], "member 'd/../../file': its name "),
        ([member(".", tarfile.DIRTYPE)], "its name ('./') does not stay in the directory"),
        ([member("d/file")], "member 'd/file': 'd', in which it lies, is not in the archive before it"),
        ([member("d"), member("d/file")], "member 'd/file': 'd', in which it lies, is no directory"),
        ([member("d", tarfile.SYMTYPE, "."), member("d/file")], "'d', in which it lies, is no directory"),
        ([_FILE.replace(name="file"), member("file")], "member 'file': it is the second member of this name"),
        ([_DIRECTORY, member("./d/", tarfile.DIRTYPE)], "it is the second member of this name"),
        ([member("file", tarfile.SYMTYPE, "x"), member("file")], "it is the second member of this name"),
        ([member("l", tarfile.SYMTYPE, "/etc/passwd")], "it links to '/etc/passwd', which does not stay"),
        ([member("l", tarfile.SYMTYPE, "../x")], "it links to '../x', which does not stay in the directory"),
        ([_DIRECTORY, member("d/l", tarfile.SYMTYPE, "../../x")], "it links to '../../x', which does not stay"),
        # Harmless by its text; but through a link, `..` goes up from where that leads.
        (
            [_DIRECTORY, member("d/up", tarfile.SYMTYPE, ".."), member("l", tarfile.SYMTYPE, "d/up/../x")],
            "it links to 'd/up/../x', which does not stay in the directory",
        ),
        ([member("l", tarfile.LNKTYPE, "/etc/passwd")], "the name that it links to ('/etc/passwd') does not stay"),
        ([member("l", tarfile.LNKTYPE, "../x")], "the name that it links to ('../x') does not stay"),
        ([member("l", tarfile.LNKTYPE, "later"), member("later")], "it links to 'later', which is no file in the archive"),
        (
            [member("s", tarfile.SYMTYPE, "x"), member("l", tarfile.LNKTYPE, "s")],
            "it links to 's', which is no file in the archive before it",
        ),
        ([member("null", tarfile.CHRTYPE)], "its type is b'3'; only files, directories and links are unpacked"),
        ([member("disk", tarfile.BLKTYPE)], "its type is b'4'; "),
        ([member("pipe", tarfile.FIFOTYPE)], "its type is b'6'; "),
        ([member("sparse", tarfile.GNUTYPE_SPARSE)], "its type is b'S'; "),
    ],
)  # fmt: skip
def test_what_is_refused(
    unpack: Callable[..., None], tmp_path: Path, members: list[tarfile.TarInfo], words: str
) -> None:
    # Also in the middle: what comes before it goes again.
    refused = "l" if members[-1].name == "later" else ""
    with pytest.raises(ArchiveError) as raised:
        unpack(member("first"), *members, member("last"))
    assert str(raised.value).startswith(
        f"the archive of a template is not unpacked: {tmp_path}/template.tar, member '{refused or members[-1].name}"
    )
    assert words in str(raised.value)
    assert str(raised.value).endswith("; remove this file: the next build (under Bazel) or session makes it again")


def _set(position: int, field: bytes, *, sums: bool = True) -> Callable[[bytes], bytes]:
    """Return what changes a field of the first header, and its sum."""

    def change(content: bytes) -> bytes:
        header = bytearray(content[:512])
        header[position : position + len(field)] = field
        if sums:
            header[148:156] = b" " * 8
            header[148:156] = b"%06o\0 " % sum(header)
        return bytes(header) + content[512:]

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set(124, b"77777777777\0"), "it claims 8589934591 bytes, and the archive has only 9728 more"),
        (_set(124, b"\x80\0\0\0\0\0\x7f\xff\xff\xff\xff\xff"), "its size is not a number: "),
        (_set(124, b"-0000000001\0"), "its size is not a number: b'-0000000001'"),
        (_set(124, b"+0000000001\0"), "its size is not a number: "),
        (_set(0, b"x", sums=False), "its header is damaged"),
        (_set(148, b"        ", sums=False), "its header is damaged"),
        (_set(156, b"5"), "it claims 7 bytes, although it is no file"),
        (lambda content: content[:300], "it ends too early: it is truncated"),
        (lambda content: content[:520], "it claims 7 bytes, and the archive has only 8 more: is it truncated?"),
        # At a boundary of members, where it looks whole but for its end.
        (lambda content: content[:1024], "it ends too early: it is truncated"),
        (lambda _: b"", "it ends too early: it is truncated"),
        (lambda _: b"\x1f\x8b" + bytes(2000), "its header is damaged"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_refused(unpack: Callable[..., None], change: Callable[[bytes], bytes], words: str) -> None:
    with pytest.raises(ArchiveError) as raised:
        unpack(member("file"), change=change)
    assert words in str(raised.value)


def test_what_is_unpacked(unpack: Callable[..., None], target: Path) -> None:
    long = "d/" + "x" * 90 + "/"
    unpack(
        _DIRECTORY, _FILE, member(long, tarfile.DIRTYPE), member(long + "y" * 80), member("hard", tarfile.LNKTYPE, "d/file"),
        member("d/soft", tarfile.SYMTYPE, "../d/file"), member("dangling", tarfile.SYMTYPE, "nowhere"),
    )  # fmt: skip
    assert (target / long / ("y" * 80)).read_bytes() == (target / "hard").read_bytes() == b"content"
    assert os.readlink(target / "d/soft") == "../d/file"
    assert (target / "d/soft").read_bytes() == b"content"
    assert {path.lstat().st_mode & 0o777 for path in target.rglob("*") if path.is_dir()} == {0o700}
    assert {path.lstat().st_mode & 0o777 for path in target.rglob("*") if path.is_file() and not path.is_symlink()} == {
        0o600
    }
    assert (target / "hard").stat().st_nlink == 1


@pytest.mark.parametrize(("mode", "unpacked"), [(0o6666, 0o600), (0o6777, 0o700), (0o4111, 0o700), (0o055, 0o600)])
def test_of_mode_and_owner_only_the_owners_right_to_execute_counts(
    unpack: Callable[..., None], target: Path, mode: int, unpacked: int
) -> None:
    file = member("file")
    file.mode, file.uid, file.gid = mode, 12345, 12345
    unpack(file)
    status = (target / "file").stat()
    assert (status.st_mode & 0o7777, status.st_uid) == (unpacked, os.geteuid())


def test_a_copy_of_a_program_is_one(unpack: Callable[..., None], target: Path) -> None:
    file = member("file")
    file.mode = 0o755
    unpack(file, member("copy", tarfile.LNKTYPE, "file"))
    assert (target / "copy").stat().st_mode & 0o777 == 0o700


def test_a_mode_that_is_no_number_is_refused(unpack: Callable[..., None]) -> None:
    def damage(content: bytes) -> bytes:
        header = content[:100] + b"000x644\0" + content[108:148] + b" " * 8 + content[156:512]
        return header[:148] + b"%06o\0 " % sum(header) + header[156:] + content[512:]

    with pytest.raises(ArchiveError, match="its mode is not a number: b'000x644'"):
        unpack(member("file"), change=damage)


def test_a_target_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    archive = write(tmp_path / "template.tar", member("file"))
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "kept").touch()
    with pytest.raises(FileExistsError):
        unpack_archive(str(archive), str(tmp_path / "target"))
    assert os.listdir(tmp_path / "target") == ["kept"]


def test_files_that_are_there_are_replaced_where_that_is_wanted(tmp_path: Path, target: Path) -> None:
    (target / "d" / "inner").mkdir(parents=True)
    for name in ("file", "other"):
        (target / "d" / name).write_text("old")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.hardlink_to(target / "d" / "file")
    (target / "link").symlink_to(tmp_path)
    archive = write(tmp_path / "template.tar", _DIRECTORY, _FILE, member("d/inner", tarfile.DIRTYPE), member("link"))
    unpack_archive(str(archive), str(target), replaces=True)
    assert (target / "d" / "file").read_text() == "content"
    assert (elsewhere.read_text(), (target / "d" / "other").read_text()) == ("old", "old")
    assert not (target / "link").is_symlink()


def test_a_file_does_not_replace_a_directory(tmp_path: Path, target: Path) -> None:
    (target / "file" / "inner").mkdir(parents=True)
    with pytest.raises(ArchiveError, match="member 'file': a directory has its name in the template that this one"):
        unpack_archive(str(write(tmp_path / "template.tar", member("file"))), str(target), replaces=True)


def test_names_of_an_archive(tmp_path: Path) -> None:
    archive = write(tmp_path / "template.tar", _DIRECTORY, _FILE, member("last"))
    assert member_names(str(archive)) == {"d", "d/file", "last"}


def test_names_of_a_damaged_archive(tmp_path: Path) -> None:
    archive = write(tmp_path / "template.tar", _DIRECTORY, _FILE)
    archive.write_bytes(archive.read_bytes()[:700])
    with pytest.raises(ArchiveError, match="its header is damaged"):
        member_names(str(archive))
