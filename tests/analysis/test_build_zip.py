"""The archives of `python_zip`: what is in them, that they run from the compiled form, that they are reproducible."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

BUILD_ZIP = Path(__file__).parents[2] / "rules" / "private" / "build_zip.py"
PACKAGE = ("package/module.py=module.py", "__main__.py=main.py", "package/__init__.py=empty.py")


def build(output: Path, *members: str) -> Path:
    """Run the tool as the rule does; `members` are NAME=FILE with FILE beside the output."""
    subprocess.run(
        [sys.executable, "-I", "-S", "-B", BUILD_ZIP, "--output", output, *members],
        check=True,
        capture_output=True,
        cwd=output.parent,
    )
    return output


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text("import package.module as m\nprint(m.VALUE, m.__spec__.origin)\n")
    (tmp_path / "module.py").write_text("VALUE = 'from source'\n")
    (tmp_path / "empty.py").write_text("")
    return tmp_path


def test_runs_from_the_compiled_form(sources: Path) -> None:
    # Otherwise each start would compile everything anew.
    archive = build(sources / "package.zip", *PACKAGE)
    run = subprocess.run([sys.executable, "-I", "-S", "-B", archive], check=True, capture_output=True, text=True)
    assert run.stdout == f"from source {archive}/package/module.pyc\n"


def test_is_reproducible(sources: Path) -> None:
    first = build(sources / "first.zip", *PACKAGE)
    os.utime(sources / "module.py", (0, 0))
    second = build(sources / "second.zip", *reversed(PACKAGE))
    assert first.read_bytes() == second.read_bytes()


def test_members(sources: Path) -> None:
    with zipfile.ZipFile(build(sources / "package.zip", *PACKAGE)) as archive:
        assert archive.namelist() == [
            "__main__.py",
            "__main__.pyc",
            "package/__init__.py",
            "package/__init__.pyc",
            "package/module.py",
            "package/module.pyc",
        ]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_compiled_form_holds_no_path_of_the_machine(sources: Path) -> None:
    member = f"package/module.py={sources / 'module.py'}"
    with zipfile.ZipFile(build(sources / "package.zip", member)) as archive:
        assert str(sources).encode() not in archive.read("package/module.pyc")


def test_syntax_error_names_the_module(sources: Path) -> None:
    (sources / "wrong.py").write_text("def\n")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        build(sources / "package.zip", "package/wrong.py=wrong.py")
    assert b"package/wrong.py" in caught.value.stderr
