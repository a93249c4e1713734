"""The cache of unpacked templates: unpacked once, whole or not at all, and thrown away only where nobody needs it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from realservices.contract.errors import ArchiveError, RealServicesError
from realservices.host.archive import unpack_archive
from realservices.host.template_tree import Template
from realservices.host.unpacked_templates import lease_base, lease_template
from realservices.system.directory_cache import Lease
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
def leasing(registry: Path, archive: Path, size: int = 0, enclosure: list[str] | None = None) -> Iterator[Lessee]:
    """Run a lessee until the block ends."""
    enclosed = [str(_HERE / "enclosure.py"), *enclosure, "--", sys.executable] if enclosure else []
    command = [sys.executable, *enclosed, str(_HERE / "lessee.py")]
    with subprocess.Popen(
        [*command, str(archive), digest_of(archive), str(size)],
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
    return make_archive(tmp_path, "d1")


def make_archive(directory: Path, name: str) -> Path:
    """Return the archive of this name, which differs from those of other names in its file's content."""
    content = name.encode().ljust(_MB, b"x")
    return _write_archive(directory / f"{name}.tar", [("base/one", content)], links=[("base/two", "base/one")])


def digest_of(archive: Path) -> str:
    """Return an archive's SHA-256."""
    return hashlib.sha256(archive.read_bytes()).hexdigest()


def lease(archive: Path, size: int = _MB) -> Lease:
    """Lease an archive's template."""
    return lease_template(Template(str(archive), digest_of(archive), size))


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
    """Return what is in the cache: by the names of the archives in the directory above, where they are known."""
    names = {digest_of(path): path.stem for path in registry.parent.glob("*.tar")}
    return {names.get(entry.name, entry.name) for entry in (registry / "templates").iterdir() if entry.is_dir()}


def test_the_first_use_unpacks_and_the_second_finds_it(registry: Path, archive: Path) -> None:
    digest = digest_of(archive)
    first = lease_template(Template(str(archive), digest, _MB))
    archive.unlink()
    second = lease_template(Template(str(archive), digest, _MB))
    assert first.path == second.path == str(registry / "templates" / digest)
    assert Path(first.path, "base/two").stat().st_size == _MB
    for path in (registry, registry / "templates", Path(first.path), Path(first.path, "base")):
        assert path.stat().st_mode & 0o777 == 0o700, path
    first.release()
    second.release()


def test_what_others_begin_from_has_no_copies_unless_it_is_there_with_them(registry: Path, archive: Path) -> None:
    template = Template(str(archive), digest_of(archive), _MB)
    template.copies = {"copy": "base"}
    bare = lease_base(template)
    assert os.listdir(bare.path) == ["base"]
    with_copies = lease_template(template)
    assert sorted(os.listdir(with_copies.path)) == ["base", "copy"]
    again = lease_base(template)
    assert again.path == with_copies.path != bare.path
    for each in (bare, with_copies, again):
        each.release()


def test_equal_files_share_their_content_only_where_nobody_writes(tmp_path: Path, archive: Path) -> None:
    for name, shares_links in (("shared", True), ("own", False)):
        unpack_archive(str(archive), str(tmp_path / name), shares_links=shares_links)
        one, two = (tmp_path / name / "base" / file for file in ("one", "two"))
        assert one.read_bytes() == two.read_bytes() == b"d1".ljust(_MB, b"x")
        assert (one.stat().st_ino == two.stat().st_ino) is shares_links


def test_concurrent_first_use_unpacks_once(registry: Path, archive: Path) -> None:
    with ExitStack() as stack:
        lessees = [stack.enter_context(leasing(registry, archive, _MB)) for _ in range(6)]
        for lessee in lessees:
            lessee.begin()
        for lessee in lessees:
            lessee.wait()
        assert {lessee.error for lessee in lessees} == {""}
        assert len({lessee.inode for lessee in lessees}) == 1
    assert _templates(registry) == {"d1"}


def _many(tmp_path: Path) -> Path:
    return _write_archive(tmp_path / "many.tar", [(f"base/{number}", b"content") for number in range(3000)], [])


def _kill_while_it_unpacks(registry: Path, many: Path) -> None:
    with leasing(registry, many) as lessee:
        lessee.begin()
        _await_partial(registry)
        lessee.process.kill()
        lessee.process.wait(30)


def _await_partial(registry: Path) -> None:
    deadline = time.monotonic() + 30
    while not any(registry.glob("templates/*.partial/base/1")):
        assert time.monotonic() < deadline


def test_what_a_killed_launcher_left_half_unpacked_is_done_again(registry: Path, tmp_path: Path) -> None:
    many = _many(tmp_path)
    _kill_while_it_unpacks(registry, many)
    assert len(_templates(registry)) == 1
    assert "many" not in _templates(registry)
    found = lease(many, 0)
    assert len(os.listdir(Path(found.path, "base"))) == 3000
    assert _templates(registry) == {"many"}
    found.release()


def test_what_a_killed_launcher_left_goes_with_its_locks_when_another_template_is_unpacked(
    registry: Path, archive: Path, tmp_path: Path
) -> None:
    # Nobody may ever ask for that one again: its migrations have changed since.
    _kill_while_it_unpacks(registry, _many(tmp_path))
    lease(archive).release()
    digest = digest_of(archive)
    assert {entry.name for entry in (registry / "templates").iterdir()} == {
        digest, f"{digest}.lock", f"{digest}.unpacking"
    }  # fmt: skip


def test_what_another_launcher_is_unpacking_is_left_alone(registry: Path, archive: Path, tmp_path: Path) -> None:
    with leasing(registry, _many(tmp_path)) as lessee:
        lessee.begin()
        _await_partial(registry)
        lease(archive).release()
        lessee.wait()
        assert lessee.error == ""
        assert len(os.listdir(lessee.path / "base")) == 3000


def test_the_least_recently_used_goes_first(registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_TEMPLATE_CACHE_MB", "3")
    archives = {name: make_archive(tmp_path, name) for name in ("d1", "d2", "d3", "d4")}
    for name in ("d1", "d2", "d3"):
        lease(archives[name]).release()
    _set_last_use(registry, {archives["d1"]: 300, archives["d2"]: 100, archives["d3"]: 200})
    lease(archives["d4"]).release()
    assert _templates(registry) == {"d1", "d3", "d4"}
    # Neither do locks pile up: two for each template that is there.
    assert len(list((registry / "templates").iterdir())) == 9


def test_using_a_template_again_makes_it_recent(
    registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALSERVICES_TEMPLATE_CACHE_MB", "2")
    first, second, third = (make_archive(tmp_path, name) for name in ("d1", "d2", "d3"))
    for archive in (first, second):
        lease(archive).release()
    _set_last_use(registry, {first: 100, second: 200})
    lease(first).release()
    lease(third).release()
    assert _templates(registry) == {"d1", "d3"}


def test_a_template_in_use_is_never_removed(registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_TEMPLATE_CACHE_MB", "1")
    with leasing(registry, make_archive(tmp_path, "d1"), _MB) as lessee:
        lessee.begin()
        lessee.wait()
        lease(make_archive(tmp_path, "d2")).release()
        assert _templates(registry) == {"d1", "d2"}
        assert len(os.listdir(lessee.path / "base")) == 2
    lease(make_archive(tmp_path, "d3")).release()
    assert _templates(registry) == {"d3"}


def test_the_lease_of_a_killed_launcher_ends(registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_TEMPLATE_CACHE_MB", "1")
    with leasing(registry, make_archive(tmp_path, "d1"), _MB) as lessee:
        lessee.begin()
        lessee.wait()
        lessee.process.kill()
        lessee.process.wait(30)
    lease(make_archive(tmp_path, "d2")).release()
    assert _templates(registry) == {"d2"}


def _make_writable_directory(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)
    (path / "planted").touch()


def _make_link(path: Path) -> None:
    target = path.parent.parent / "elsewhere"
    target.mkdir()
    path.symlink_to(target)


@pytest.mark.parametrize("occupy", [_make_writable_directory, _make_link, Path.touch])
def test_what_is_no_directory_of_this_user_alone_is_replaced(
    registry: Path, archive: Path, occupy: Callable[[Path], None]
) -> None:
    (registry / "templates").mkdir(parents=True)
    path = registry / "templates" / digest_of(archive)
    occupy(path)
    found = lease(archive)
    assert found.path == str(path)
    assert not path.is_symlink()
    assert os.listdir(path) == ["base"]
    found.release()
    assert not list((registry / "templates").glob("*.partial"))


def test_what_others_may_write_to_and_stays_is_an_error_with_a_remedy(registry: Path, archive: Path) -> None:
    path = registry / "templates" / digest_of(archive)
    path.mkdir(parents=True)
    with leasing(registry, archive, _MB, ["--uid", "1000", "--tmpfs", str(path)]) as lessee:
        lessee.begin()
        lessee.wait()
        assert lessee.error == (
            f"[Errno 17] this name is taken by what is not a directory of this user alone; remove it: '{path}'"
        )


def test_what_is_damaged_while_somebody_uses_it_is_left_to_them(registry: Path, archive: Path) -> None:
    with leasing(registry, archive, _MB) as lessee:
        lessee.begin()
        lessee.wait()
        lessee.path.chmod(0o777)
        with pytest.raises(FileExistsError, match="this name is taken by what is not a directory of this user alone"):
            lease(archive)
        assert len(os.listdir(lessee.path / "base")) == 2


def test_a_place_for_templates_that_others_write_to_is_closed(registry: Path, archive: Path) -> None:
    (registry / "templates").mkdir(parents=True)
    (registry / "templates").chmod(0o777)
    lease(archive).release()
    assert (registry / "templates").stat().st_mode & 0o777 == 0o700


def test_a_place_for_templates_that_is_a_link_is_not_followed(registry: Path, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    registry.mkdir()
    (registry / "templates").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError, match=r"/templates'"):
        lease(archive)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_archive_with_another_digest_is_not_unpacked(registry: Path, archive: Path) -> None:
    digest = digest_of(archive)
    content = archive.read_bytes()
    archive.write_bytes(content.replace(b"xxxx", b"yyyy", 1))
    with pytest.raises(ArchiveError) as raised:
        lease_template(Template(str(archive), digest, _MB))
    assert str(raised.value) == (
        f"the archive of a template is not unpacked: {archive}: its SHA-256 is {digest_of(archive)}, not {digest}: its "
        "content has changed; remove this file: the next build (under Bazel) or session makes it again"
    )
    assert _templates(registry) == set()
    archive.write_bytes(content)
    lease(archive).release()


def test_no_room_is_an_error_with_numbers(archive: Path) -> None:
    # 16 MB stay reserved for other programs.
    with leasing(Path("/dev/shm/registry"), archive, _MB, ["--tmpfs", "/dev/shm=16m"]) as lessee:
        lessee.begin()
        lessee.wait()
        assert (
            lessee.error == "[Errno 28] 1 MB for a template do not fit; 16 MB are free: '/dev/shm/registry/templates'"
        )


def test_room_that_ends_while_unpacking_leaves_nothing(tmp_path: Path) -> None:
    # The size is understated, as it may turn out to be where others write too.
    archive = _write_archive(tmp_path / "large.tar", [(f"base/{number}", b"x" * _MB) for number in range(20)], [])
    with leasing(Path("/dev/shm/registry"), archive, 0, ["--tmpfs", "/dev/shm=17m"]) as lessee:
        lessee.begin()
        lessee.wait()
        assert lessee.error.startswith("[Errno 28] No space left on device: '/dev/shm/registry/templates/")
        inside = Path(f"/proc/{lessee.process.pid}/root/dev/shm/registry/templates")
        assert [path.name for path in inside.iterdir() if path.is_dir()] == []


def test_a_cache_size_that_is_none(registry: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_TEMPLATE_CACHE_MB", "a lot")
    with pytest.raises(
        RealServicesError, match=r"REALSERVICES_TEMPLATE_CACHE_MB='a lot' is not a whole number of megabytes from 0 to"
    ):
        lease(archive)


def test_a_failed_unpacking_leaves_nothing_and_can_be_repeated(registry: Path, archive: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        lease_template(Template(str(tmp_path / "missing.tar"), digest_of(archive), _MB))
    assert _templates(registry) == set()
    lease(archive).release()


def _set_last_use(registry: Path, times: dict[Path, int]) -> None:
    for archive, seconds in times.items():
        os.utime(registry / "templates" / f"{digest_of(archive)}.lock", (seconds, seconds))
