from __future__ import annotations

from pathlib import Path

import pytest

from realservices.programs.coverage_merger import main

_FIRST = """\
TN:
SF:app/a.py
FN:1,3,price
FNDA:2,price
BRDA:2,0,jump to line 3,1
BRDA:2,0,jump to line 4,0
BRDA:5,0,exit,-
DA:1,1
DA:2,2,checksum
LH:9
LF:9
end_of_record
SF:external/b.py
DA:1,1
end_of_record
"""
_SECOND = """\
SF:app/a.py
FN:1,3,price
FNDA:0,price
BRDA:2,0,jump to line 3,-
BRDA:2,0,jump to line 4,3
DA:2,1
DA:3,0
end_of_record
SF:app/c.py
DA:1,0
end_of_record
"""
_MERGED = """\
SF:app/a.py
FN:1,3,price
FNDA:2,price
FNF:1
FNH:1
BRDA:2,0,jump to line 3,1
BRDA:2,0,jump to line 4,3
BRDA:5,0,exit,-
BRF:3
BRH:2
DA:1,1
DA:2,3
DA:3,0
LH:2
LF:3
end_of_record
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """What a test's processes left."""
    (tmp_path / "coverage" / "server").mkdir(parents=True)
    (tmp_path / "coverage" / "a.dat").write_text(_FIRST, encoding="utf-8")
    (tmp_path / "coverage" / "server" / "b.dat").write_text(_SECOND, encoding="utf-8")
    (tmp_path / "coverage" / "notes.txt").write_text("nothing", encoding="utf-8")
    return tmp_path / "coverage"


def test_what_processes_left_becomes_one_report(directory: Path) -> None:
    output, manifest = directory / "merged.dat", directory / "manifest"
    manifest.write_text("app/a.py\napp/c.py\n", encoding="utf-8")
    options = [f"--coverage_dir={directory}", f"--output_file={output}", f"--source_file_manifest={manifest}"]
    assert main([*options, "--filter_sources=app/c.+", "--filter_sources=/usr/bin/.+"]) == 0
    assert output.read_text(encoding="utf-8") == _MERGED
    # The last result is no input.
    assert main([*options, "--filter_sources=app/c.+", "--an_option_of_a_later_bazel=1"]) == 0
    assert output.read_text(encoding="utf-8") == _MERGED


def test_reports_of_several_tests_become_one(directory: Path) -> None:
    listed, output = directory / "list", directory / "all.dat"
    listed.write_text(f"{directory}/a.dat\n{directory}/server/b.dat\n", encoding="utf-8")
    assert main([f"--reports_file={listed}", f"--output_file={output}"]) == 0
    text = output.read_text(encoding="utf-8")
    assert text.startswith(_MERGED)
    assert text.count("SF:") == 3


def test_sources_get_the_names_that_they_are_to_have(directory: Path) -> None:
    replaced, output = directory / "replaced", directory / "all.out"
    replaced.write_text("app/c.py:app/real_c.py\nother:name\n", encoding="utf-8")
    assert (
        main([f"--coverage_dir={directory}", f"--output_file={output}", f"--sources_to_replace_file={replaced}"]) == 0
    )
    assert "SF:app/real_c.py\n" in output.read_text(encoding="utf-8")


def test_a_file_that_is_no_lcov_is_named(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "bad.dat").write_text("SF:a\nDA:x,y\n", encoding="utf-8")
    assert main([f"--coverage_dir={directory}", f"--output_file={directory}/out"]) == 1
    assert f"coverage: {directory}/bad.dat is no LCOV file: line 2 is 'DA:x,y'" in capsys.readouterr().err
