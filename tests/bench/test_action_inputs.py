"""Counting what a test action reads."""

from __future__ import annotations

from pathlib import Path

from bench.action_inputs import Inputs, count_inputs, manifest_paths


def test_manifest_lines_lead_to_paths() -> None:
    lines = [
        "_main/t /out/bin/t\n",
        "repo/site /out/external/repo/site with blanks\n",
        " repo/a\\sb /out/external/repo/a\\sb\n",
        "_main/__init__.py \n",
    ]
    assert manifest_paths(lines) == [
        "/out/bin/t",
        "/out/external/repo/site with blanks",
        "/out/external/repo/a b",
        "",
    ]


def test_a_directory_is_one_entry_and_many_files(tmp_path: Path) -> None:
    directory = tmp_path / "site"
    (directory / "package").mkdir(parents=True)
    (directory / "package/module.py").write_bytes(b"12345")
    (directory / "top.py").write_bytes(b"123")
    (tmp_path / "single").write_bytes(b"12")
    (tmp_path / "link").symlink_to(directory)

    assert count_inputs([str(tmp_path / "single")]) == Inputs(entries=1, files=1, size_bytes=2)
    assert count_inputs([str(directory)]) == Inputs(entries=1, files=2, size_bytes=8)
    assert count_inputs([str(tmp_path / "link"), ""]) == Inputs(entries=2, files=3, size_bytes=8)
