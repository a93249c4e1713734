"""The cache of unpacked templates: unpacked once, whole or not at all, and thrown away only where nobody needs it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from realservices.contract.errors import RealServicesError
from realservices.host.templates import lease_template, unpack_template
from tests.host import places

_HERE = Path(__file__).absolute().parent
_MB = 1 << 20


class Lessee:
    """A process that leases a template when told to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        self.process = process
        self.path = Path()
        self.inode = 0
        self.error = ""

    def begin(self) -> None:
        """Let it lease."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def wait(self) -> None:
        """Wait until it has what it asked for, or why not."""
        assert self.process.stdout
        answer = json.loads(self.process.stdout.readline())
        self.path, self.inode = Path(answer.get("path", "")), answer.get("inode", 0)
        self.error = answer.get("error", "")


@contextmanager
def leasing(
    registry: Path, archive: Path, digest: str, size: int = 0, enclosure: list[str] | None = None
) -> Iterator[Lessee]:
    """Run a lessee until the block ends."""
    enclosed = [str(_HERE / "enclosure.py"), *enclosure, "--", sys.executable] if enclosure else []
    command = [sys.executable, *enclosed, str(_HERE / "lessee.py")]
    with subprocess.Popen(
        [*command, str(archive), digest, str(size)],
        env={"PYTHONPATH": str(places.PACKAGE_ROOT), "REALSERVICES_REGISTRY": str(registry)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Lessee(process)
        finally:
            if process.poll() is None:
                process.stdin.close()  # type: ignore[union-attr]
                process.wait(30)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty registry, which this process uses too."""
    path = tmp_path / "registry"
    monkeypatch.setenv("REALSERVICES_REGISTRY", str(path))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return an archive with a directory, a file of 1 MB, and a hard link to it."""
    return _write_archive(tmp_path / "template.tar", [("base/one", b"x" * _MB)], links=[("base/two", "base/one")])


def _write_archive(path: Path, files: list[tuple[str, bytes]], links: list[tuple[str, str]]) -> Path:
    with tarfile.open(path, "w") as tar:
        directory = tarfile.TarInfo("base")
        directory.type = tarfile.DIRTYPE
        tar.addfile(directory)
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, original in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.LNKTYPE, original
            tar.addfile(member)
    return path


def _templates(registry: Path) -> set[str]:
    return {entry.name for entry in (registry / "templates").iterdir() if entry.is_dir()}


def test_the_first_use_unpacks_and_the_second_finds_it(registry: Path, archive: Path) -> None:
    first = lease_template(str(archive), "d1", _MB)
    archive.unlink()
    second = lease_template(str(archive), "d1", _MB)
    assert first.path == second.path == str(registry / "templates" / "d1")
    assert Path(first.path, "base/two").read_bytes() == b"x" * _MB
    for path in (registry, registry / "templates", Path(first.path), Path(first.path, "base")):
        assert path.stat().st_mode & 0o777 == 0o700, path
    first.release()
    second.release()


def test_equal_files_share_their_content_only_where_nobody_writes(tmp_path: Path, archive: Path) -> None:
    for name, is_written in (("shared", False), ("own", True)):
        unpack_template(str(archive), str(tmp_path / name), is_written=is_written)
        one, two = (tmp_path / name / "base" / file for file in ("one", "two"))
        assert one.read_bytes() == two.read_bytes() == b"x" * _MB
        assert (one.stat().st_ino == two.stat().st_ino) is not is_written


def test_concurrent_first_use_unpacks_once(registry: Path, archive: Path) -> None:
    with ExitStack() as stack:
        lessees = [stack.enter_context(leasing(registry, archive, "d1", _MB)) for _ in range(6)]
        for lessee in lessees:
            lessee.begin()
        for lessee in lessees:
            lessee.wait()
        assert {lessee.error for lessee in lessees} == {""}
        assert len({lessee.inode for lessee in lessees}) == 1
    assert _templates(registry) == {"d1"}


def test_what_a_killed_launcher_left_half_unpacked_is_done_again(registry: Path, tmp_path: Path) -> None:
    files = [(f"base/{number}", b"content") for number in range(3000)]
    archive = _write_archive(tmp_path / "many.tar", files, [])
    with leasing(registry, archive, "d1") as lessee:
        lessee.begin()
        deadline = time.monotonic() + 30
        while not any(registry.glob("templates/d1.*.partial/base/1")):
            assert time.monotonic() < deadline
        lessee.process.kill()
        lessee.process.wait(30)
    assert len(_templates(registry)) == 1
    assert "d1" not in _templates(registry)
    lease = lease_template(str(archive), "d1", 0)
    assert len(os.listdir(Path(lease.path, "base"))) == 3000
    assert _templates(registry) == {"d1"}
    lease.release()


def test_room_is_made_first_from_what_killed_launchers_left(
    registry: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of a template that nobody will ever ask for again: its migrations have changed since.
    left = registry / "templates" / "old.123.partial"
    left.mkdir(parents=True)
    (left / "file").write_bytes(b"x")
    lease_template(str(archive), "d1", _MB).release()
    assert _templates(registry) == {"d1"}


def test_what_another_launcher_is_unpacking_is_left_alone(registry: Path, archive: Path, tmp_path: Path) -> None:
    many = _write_archive(tmp_path / "many.tar", [(f"base/{number}", b"content") for number in range(3000)], [])
    with leasing(registry, many, "slow") as lessee:
        lessee.begin()
        deadline = time.monotonic() + 30
        while not any(registry.glob("templates/slow.*.partial")):
            assert time.monotonic() < deadline
        lease_template(str(archive), "d1", _MB).release()
        lessee.wait()
        assert lessee.error == ""
        assert len(os.listdir(lessee.path / "base")) == 3000


def test_the_least_recently_used_goes_first(registry: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_TEMPLATE_CACHE_MB", "3")
    for digest in ("d1", "d2", "d3"):
        lease_template(str(archive), digest, _MB).release()
    _set_last_use(registry, d1=300, d2=100, d3=200)
    lease_template(str(archive), "d4", _MB).release()
    assert _templates(registry) == {"d1", "d3", "d4"}


def test_using_a_template_again_makes_it_recent(registry: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_TEMPLATE_CACHE_MB", "2")
    for digest in ("d1", "d2"):
        lease_template(str(archive), digest, _MB).release()
    _set_last_use(registry, d1=100, d2=200)
    lease_template(str(archive), "d1", _MB).release()
    lease_template(str(archive), "d3", _MB).release()
    assert _templates(registry) == {"d1", "d3"}


def test_a_template_in_use_is_never_removed(registry: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_TEMPLATE_CACHE_MB", "1")
    with leasing(registry, archive, "d1", _MB) as lessee:
        lessee.begin()
        lessee.wait()
        lease_template(str(archive), "d2", _MB).release()
        assert _templates(registry) == {"d1", "d2"}
        assert len(os.listdir(lessee.path / "base")) == 2
    lease_template(str(archive), "d3", _MB).release()
    assert _templates(registry) == {"d3"}


def test_the_lease_of_a_killed_launcher_ends(registry: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_TEMPLATE_CACHE_MB", "1")
    with leasing(registry, archive, "d1", _MB) as lessee:
        lessee.begin()
        lessee.wait()
        lessee.process.kill()
        lessee.process.wait(30)
    lease_template(str(archive), "d2", _MB).release()
    assert _templates(registry) == {"d2"}


def test_no_room_is_an_error_with_numbers(archive: Path) -> None:
    # 16 MB stay reserved for other programs.
    with leasing(Path("/dev/shm/registry"), archive, "d1", _MB, ["--tmpfs", "/dev/shm=16m"]) as lessee:
        lessee.begin()
        lessee.wait()
        assert (
            lessee.error == "[Errno 28] 1 MB for a template do not fit; 16 MB are free: '/dev/shm/registry/templates'"
        )


def test_room_that_ends_while_unpacking_leaves_nothing(tmp_path: Path) -> None:
    # The size is understated, as it may turn out to be where others write too.
    archive = _write_archive(tmp_path / "large.tar", [(f"base/{number}", b"x" * _MB) for number in range(20)], [])
    with leasing(Path("/dev/shm/registry"), archive, "d1", 0, ["--tmpfs", "/dev/shm=17m"]) as lessee:
        lessee.begin()
        lessee.wait()
        assert lessee.error == "[Errno 28] No space left on device"
        inside = Path(f"/proc/{lessee.process.pid}/root/dev/shm/registry/templates")
        assert [path.name for path in inside.iterdir() if path.is_dir()] == []


def test_a_cache_size_that_is_none(registry: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_TEMPLATE_CACHE_MB", "a lot")
    with pytest.raises(RealServicesError, match=r"REALSERVICES_TEMPLATE_CACHE_MB='a lot' is not a number of megabytes"):
        lease_template(str(archive), "d1", _MB)


def test_a_failed_unpacking_leaves_nothing_and_can_be_repeated(registry: Path, archive: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        lease_template(str(tmp_path / "missing.tar"), "d1", _MB)
    assert _templates(registry) == set()
    lease_template(str(archive), "d1", _MB).release()


def _set_last_use(registry: Path, **times: int) -> None:
    for digest, seconds in times.items():
        os.utime(registry / "templates" / f"{digest}.lock", (seconds, seconds))
