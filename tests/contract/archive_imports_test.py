"""What pytest shows of code in an archive is what it shows of code in a directory."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.host import places

_COMPILE = """
import py_compile
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
py_compile.compile("library.py", "library.pyc", "elsewhere.py", invalidation_mode=mode)
"""
_LIBRARY = "def divide(a):\n    return a / 0\n"
_PROGRAM = """
import sys
import library_before  # Looked up by the interpreter's own importer.
from realservices.contract.archive_imports import name_files_in_archives
name_files_in_archives()
import inspect, traceback
import inner.library
print(inner.library.__file__, inner.__file__)
print(inspect.getsource(inner.library.divide), end="")
try:
    inner.library.divide(1)
except ZeroDivisionError as error:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    print(frame.filename, frame.lineno, frame.line)
"""


def test_files_and_lines_are_those_in_the_archive(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text(_LIBRARY)
    subprocess.run([sys.executable, "-c", _COMPILE], cwd=tmp_path, check=True)
    archive = tmp_path / "libraries.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("library_before.py", "")
        file.writestr("inner/__init__.py", "")
        file.writestr("inner/library.py", _LIBRARY)
        file.writestr("inner/library.pyc", (tmp_path / "library.pyc").read_bytes())
    done = subprocess.run(
        [sys.executable, "-S", "-c", _PROGRAM],
        env={"PYTHONPATH": f"{archive}:{places.PACKAGE_ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [
        f"{archive}/inner/library.py {archive}/inner/__init__.py",
        *_LIBRARY.splitlines(),
        f"{archive}/inner/library.py 2 return a / 0",
    ], done.stderr
