"""The launcher's directories, and their removal whatever a test did to them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from realservices.contract.errors import InfrastructureError
from realservices.host.sandbox import Sandbox, lock_directory, remove_tree
from tests.host import places

_ENCLOSURE = Path(__file__).absolute().parent / "enclosure.py"
_REMOVE = "import sys; sys.path.insert(0, sys.argv[1]); from realservices.host.sandbox import remove_tree; remove_tree(sys.argv[2])"


def test_its_directories_are_private_and_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TMPDIR", str(tmp_path))
    sandbox = Sandbox()
    assert not any(os.path.exists(path) for path in sandbox.paths)
    sandbox.create()
    try:
        for path in (sandbox.private, sandbox.root, sandbox.home, sandbox.temporary):
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o700, path
        assert Path(sandbox.root).parent == tmp_path
        # A service's socket: "/<name>/.s.PGSQL.65535.lock" and a long name must fit into 107 bytes.
        assert len(sandbox.private) < 32
    finally:
        sandbox.remove()
    assert not any(os.path.exists(path) for path in sandbox.paths)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_says_that_somebody_lives_in_it() -> None:
    sandbox = Sandbox()
    sandbox.create()
    assert lock_directory(sandbox.private, wait=False) == -1
    sandbox.remove()
    assert lock_directory(sandbox.private, wait=False) == -1  # There is nothing to lock any more.


def test_two_at_once_share_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TMPDIR", str(tmp_path))
    first, second = Sandbox(), Sandbox()
    first.create()
    second.create()
    assert not set(first.paths) & set(second.paths)
    first.remove()
    assert os.path.isdir(second.root)
    second.remove()


def test_outside_of_bazel_it_has_no_directory_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_TMPDIR", raising=False)
    sandbox = Sandbox()
    sandbox.create()
    assert sandbox.root.startswith(sandbox.private + "/")
    sandbox.remove()
    assert not os.path.exists(sandbox.private)


def test_a_base_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TMPDIR", "/nonexistent")
    sandbox = Sandbox()
    with pytest.raises(InfrastructureError) as caught:
        sandbox.create()
    assert caught.value.component == "sandbox"
    assert caught.value.reason == f"cannot make {sandbox.root}: No such file or directory"
    sandbox.remove()
    assert not os.path.exists(sandbox.private)


def test_removing_does_not_follow_links(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("precious", "utf-8")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "to_directory").symlink_to(kept)
    (tree / "to_file").symlink_to(kept / "file")
    (tree / "to_nothing").symlink_to("nowhere")
    remove_tree(str(tree))
    assert not tree.exists()
    assert (kept / "file").read_text("utf-8") == "precious"


def test_removing_what_is_not_there(tmp_path: Path) -> None:
    remove_tree(str(tmp_path / "missing"))


def test_removing_what_a_test_has_locked_itself_out_of(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "deep" / "deeper").mkdir(parents=True)
    (tree / "deep" / "deeper" / "file").write_text("x", "utf-8")
    (tree / "deep" / "deeper" / "link").symlink_to("file")
    for path in (tree / "deep" / "deeper", tree / "deep", tree):
        path.chmod(0o000)
    # An ordinary user, whom the permissions bind.
    command = [sys.executable, str(_ENCLOSURE), "--uid", "1000", "--", sys.executable, "-c", _REMOVE]
    done = subprocess.run([*command, str(places.PACKAGE_ROOT), str(tree)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not tree.exists()
