"""The removal of trees that tests, or somebody who means harm, have made hard to remove."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from realservices.system import removal
from realservices.system.removal import remove_tree
from tests.host import places

_ENCLOSURE = Path(__file__).absolute().parents[1] / "host" / "enclosure.py"
_REMOVE = "import sys; sys.path.insert(0, sys.argv[1]); from realservices.system.removal import remove_tree; remove_tree(sys.argv[2])"


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
    assert list(tmp_path.iterdir()) == []


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


def test_a_link_in_the_place_of_a_directory_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, tree = tmp_path / "kept", tmp_path / "tree"
    for directory in (kept, tree, tree / "swapped"):
        directory.mkdir()
    (kept / "file").write_text("precious", "utf-8")
    opened = removal._opened

    def swap_and_open(name: str, parent: int) -> int:
        # The worst moment: it has just been found to be a directory.
        if name == "swapped":
            (tree / "swapped").rename(tmp_path / "moved")
            (tree / "swapped").symlink_to(kept)
        return opened(name, parent)

    monkeypatch.setattr(removal, "_opened", swap_and_open)
    remove_tree(str(tree))
    assert (kept / "file").read_text("utf-8") == "precious"
    assert not tree.exists()


def test_a_tree_of_any_depth_needs_few_descriptors(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    directory = os.open(tree, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("deeper", dir_fd=directory)
        below = os.open("deeper", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=directory))
    os.close(directory)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 64, limits[1]))
    try:
        remove_tree(str(tree))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert not tree.exists()


def test_what_cannot_be_removed_is_told_and_the_rest_is_removed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in ("a", "mounted", "z"):
        (tree / name).mkdir(parents=True)
    code = (
        "import ctypes, os; libc = ctypes.CDLL(None);"
        f"assert libc.mount(b'tmpfs', b'{tree}/mounted', b'tmpfs', 0, b'') == 0;"
        f"open('{tree}/mounted/file', 'w').close()\n"
        f"try:\n    remove_tree('{tree}')\nexcept OSError as error:\n    print(error.strerror)\n"
        f"print(sorted(os.listdir('{tree}')), os.listdir('{tree}/mounted'))"
    )
    remove = _REMOVE.replace("remove_tree(sys.argv[2])", "exec(sys.argv[2])")
    command = [sys.executable, str(_ENCLOSURE), "--", sys.executable, "-c", remove, str(places.PACKAGE_ROOT), code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("Device or resource busy\n['mounted'] ['file']\n", "")


def test_a_file_is_removed_too(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("", "utf-8")
    (tmp_path / "link").symlink_to("kept")
    remove_tree(str(tmp_path / "link"))
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    remove_tree(str(tmp_path / "kept"))
    assert list(tmp_path.iterdir()) == []
