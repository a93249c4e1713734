"""The registry: one directory per user, nobody else's, where every sandbox sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from realservices.system.registry_directory import present_registries, registry_directory
from tests.host import places

_ENCLOSURE = Path(__file__).absolute().parents[1] / "host" / "enclosure.py"
_PRINT = """
import sys
sys.path.insert(0, sys.argv[1])
from realservices.contract.errors import InfrastructureError
from realservices.system.registry_directory import registry_directory
exec(sys.argv[2])
try:
    print(registry_directory())
except InfrastructureError as error:
    print(f"{error.component}: {error}")
"""


def _registry_in(enclosure: list[str], before: str = "") -> str:
    done = subprocess.run(
        [
            sys.executable,
            str(_ENCLOSURE),
            *enclosure,
            "--",
            sys.executable,
            "-c",
            _PRINT,
            str(places.PACKAGE_ROOT),
            before,
        ],
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.rstrip("\n")


def test_it_is_the_users_own_and_closed_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REALSERVICES_REGISTRY", raising=False)
    path = Path(registry_directory())
    assert path.parent == Path("/dev/shm")
    assert path.name.startswith(f"realservices-{os.geteuid()}")
    assert path.stat().st_uid == os.geteuid()
    assert path.stat().st_mode & 0o777 == 0o700
    assert registry_directory() == str(path)


def test_it_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_REGISTRY", str(tmp_path / "deep" / "registry"))
    assert registry_directory() == str(tmp_path / "deep" / "registry")
    assert (tmp_path / "deep" / "registry").is_dir()


def test_looking_for_it_does_not_make_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_REGISTRY", str(tmp_path / "registry"))
    assert present_registries() == []
    assert list(tmp_path.iterdir()) == []
    registry_directory()
    assert present_registries() == [str(tmp_path / "registry")]


@pytest.mark.parametrize("uid", [0, 1000, 65534])
def test_it_lies_in_shared_memory_whoever_asks(uid: int) -> None:
    assert _registry_in(["--uid", str(uid), "--tmpfs", "/dev/shm"]) == f"/dev/shm/realservices-{uid}"


def test_what_is_somebody_elses_is_passed_over() -> None:
    # A link that another user planted, and a file.
    before = (
        "import os; os.symlink('/tmp', '/dev/shm/realservices-1000'); "
        "os.close(os.open('/dev/shm/realservices-1000-1', os.O_CREAT))"
    )
    assert _registry_in(["--uid", "1000", "--tmpfs", "/dev/shm"], before) == "/dev/shm/realservices-1000-2"


def test_without_shared_memory_it_lies_in_tmp(tmp_path: Path) -> None:
    closed = _closed_directory(tmp_path)
    enclosure = ["--uid", "1000", "--bind", f"{closed}=/dev/shm", "--tmpfs", "/tmp"]
    assert _registry_in(enclosure) == "/tmp/realservices-1000"


def test_nowhere_to_lie_is_an_error_with_the_places(tmp_path: Path) -> None:
    closed = _closed_directory(tmp_path)
    # The enclosure's Python lies elsewhere, so /tmp may be shut.
    enclosure = ["--uid", "1000", "--bind", f"{closed}=/dev/shm", "--bind", f"{closed}=/tmp"]
    assert _registry_in(enclosure) == (
        "registry: no directory for locks and templates: /dev/shm: not writable; /tmp: not writable; "
        "set REALSERVICES_REGISTRY to one of this user's"
    )


def _closed_directory(tmp_path: Path) -> Path:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    return closed
