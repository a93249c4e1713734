"""Archives of templates with faults of all kinds: refused in words or unpacked, and never anything outside.

Each number of FUZZ_MUTATIONS (60 by default; `--test_env=FUZZ_MUTATIONS=2000` for a large run) is a seed of its own, so
that a failure names what to run again: `FUZZ_FIRST=number FUZZ_MUTATIONS=1`.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from realservices.contract.errors import ArchiveError
from realservices.host.archive import BLOCK, unpack_archive
from realservices.host.template_tree import Template
from realservices.host.unpacked_templates import lease_template
from realservices.services.data_archive import write_data_archive

_FIRST = int(os.environ.get("FUZZ_FIRST", "0"))
_MUTATIONS = int(os.environ.get("FUZZ_MUTATIONS", "60"))
_MOST_AT_ONCE = 4
_NAMES = (
    b"", b"/", b".", b"..", b"../x", b"/tmp/x", b"base/../../x", b"base/1", b"./base", b"base//1", b"base/1/x", b"x" * 100,
    b"\xff\xfe", b"a\nb", b"base/1\0hidden", b"link/x", b"../outside/kept", b"link", b"base/../link", b"../../../../../../etc/passwd",
)  # fmt: skip
_SIZES = (
    b"00000000000\0",
    b"77777777777\0",
    b"-0000000001\0",
    b"\x80" + b"\xff" * 11,
    b" 1_0 \0",
    b"+7\0",
    b"0x1F",
    b"\0" * 12,
)
_TYPES = [bytes([number]) for number in (*b"0123456789xgLKSVMD", 0, 255)]


def _postgres_like(path: Path) -> None:
    """As postgres_archive.py writes it: directories, files, and hard links."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, kind, content in (
            ("base", tarfile.DIRTYPE, b""), ("PG_VERSION", tarfile.REGTYPE, b"16\n"), ("base/1", tarfile.REGTYPE, b"x" * 3000),
            ("base/2", tarfile.LNKTYPE, b"base/1"), ("base/5", tarfile.DIRTYPE, b""), ("base/5/1", tarfile.LNKTYPE, b"base/1"),
            ("base/5/" + "n" * 95, tarfile.REGTYPE, b"y" * 512), ("last", tarfile.REGTYPE, b""),
        ):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.type = kind
            if kind == tarfile.LNKTYPE:
                member.linkname = content.decode()
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def _clickhouse_like(path: Path) -> None:
    """As clickhouse_archive.py writes it: directories, files, and symbolic links."""
    data = path.parent / "data"
    (data / "store" / "abc").mkdir(parents=True)
    (data / "metadata").mkdir()
    (data / "store" / "abc" / "columns.txt").write_text("columns", "utf-8")
    (data / "uuid").write_text("1", "utf-8")
    (data / "metadata" / "test").symlink_to("../store/abc")
    (data / "link").symlink_to("store")
    write_data_archive(str(data), str(path))
    shutil.rmtree(data)


def _flip(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 50))):
        content[chance.randrange(len(content))] = chance.randrange(256)


def _cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.choice((chance.randrange(len(content)), chance.randrange(len(content) // BLOCK) * BLOCK)) :]


def _remove(content: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(content) // BLOCK) * BLOCK
    del content[start : start + chance.choice((1, BLOCK, 2 * BLOCK))]


def _copy(content: bytearray, chance: random.Random) -> None:
    start, to = (chance.randrange(len(content) // BLOCK) * BLOCK for _ in range(2))
    content[to:to] = content[start : start + chance.choice((BLOCK, 2 * BLOCK))]


def _insert(content: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(content))
    content[start:start] = chance.randbytes(chance.choice((1, BLOCK)))


def _set_field(content: bytearray, chance: random.Random) -> None:
    """Change one member to what an attacker would make of it, its sum included."""
    header = chance.choice(_headers(content))
    position, width, values = chance.choice(((0, 100, _NAMES), (345, 155, _NAMES), (124, 12, _SIZES), (156, 1, _TYPES)))
    content[header + position : header + position + width] = chance.choice(values)[:width].ljust(width, b"\0")
    _set_sum(content, header)


def _set_link(content: bytearray, chance: random.Random) -> None:
    """Make a link to somewhere of a member without content."""
    empty = [header for header in _headers(content) if content[header + 124 : header + 136].strip(b"0\0 ") == b""]
    header = chance.choice(empty or [0])
    content[header + 156 : header + 157] = chance.choice((tarfile.SYMTYPE, tarfile.LNKTYPE))
    content[header + 157 : header + 257] = chance.choice(_NAMES)[:100].ljust(100, b"\0")
    _set_sum(content, header)


def _set_sum(content: bytearray, header: int) -> None:
    content[header + 148 : header + 156] = b" " * 8
    content[header + 148 : header + 156] = b"%06o\0 " % sum(content[header : header + BLOCK])


def _headers(content: bytearray) -> list[int]:
    found = [
        start for start in range(0, len(content) - BLOCK + 1, BLOCK) if content[start + 257 : start + 262] == b"ustar"
    ]
    return found or [0]


_CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip, _cut, _remove, _copy, _insert, _set_field, _set_field, _set_field, _set_link, _set_link, _set_link,
)  # fmt: skip


@pytest.fixture(params=[_postgres_like, _clickhouse_like])
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> bytes:
    """Return an archive of one kind as it should be."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("kept", "utf-8")
    path = tmp_path / "whole.tar"
    request.param(path)
    content = path.read_bytes()
    path.unlink()
    return content


def _mutated(whole: bytes, number: int) -> tuple[bytes, random.Random]:
    chance = random.Random(number)
    content = bytearray(whole)
    for _ in range(chance.choice((1, 1, 1, 2, _MOST_AT_ONCE))):
        if len(content) >= BLOCK:
            chance.choice(_CHANGES)(content, chance)
    return bytes(content), chance


def _around(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"") for path in directory.rglob("*")
    }


def _check_inside(target: Path) -> None:
    for path in target.rglob("*"):
        status = path.lstat()
        if path.is_symlink():
            assert Path(os.path.realpath(path)).is_relative_to(target)
        else:
            assert status.st_mode & 0o7777 == (0o700 if path.is_dir() else 0o600)
            assert path.is_dir() or path.is_file()


def test_what_is_mutated_is_refused_or_stays_inside(tmp_path: Path, whole: bytes) -> None:
    place = tmp_path / "place"
    place.mkdir()
    archive, target = tmp_path / "mutated.tar", place / "target"
    refused = 0
    for number in range(_FIRST, _FIRST + _MUTATIONS):
        content, chance = _mutated(whole, number)
        archive.write_bytes(content)
        before = _around(tmp_path)
        try:
            unpack_archive(str(archive), str(target), shares_links=chance.random() < 0.5)
        except (ArchiveError, OSError):
            refused += 1
            assert _around(tmp_path) == before, number
            continue
        _check_inside(target)
        shutil.rmtree(target)
        assert _around(tmp_path) == before, number
    # A test whose archives were all refused, or none of them, would prove little.
    assert _MUTATIONS < 20 or 0 < refused < _MUTATIONS


def test_what_is_mutated_never_enters_the_cache(tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_REGISTRY", str(tmp_path / "registry"))
    archive, digest = tmp_path / "mutated.tar", hashlib.sha256(whole).hexdigest()
    for number in range(_FIRST, _FIRST + _MUTATIONS):
        content, _ = _mutated(whole, number)
        if content == whole:
            continue
        archive.write_bytes(content)
        with pytest.raises((ArchiveError, OSError)):
            lease_template(Template(str(archive), digest, len(whole)))
        left = {entry.name for entry in (tmp_path / "registry" / "templates").iterdir()}
        assert left == {f"{digest}.lock", f"{digest}.unpacking"}, number
    archive.write_bytes(whole)
    lease = lease_template(Template(str(archive), digest, len(whole)))
    _check_inside(Path(lease.path))
    lease.release()
