"""The original of a converted file, kept beside it under a name that pytest does not collect.

`test_users.py` has `mocked_test_users.py`, `users_test.py` has `users_test_mocked.py`. With USE_REAL_SERVICES=false the
pytest plugin runs the twin in the file's place (fixtures/mocked.py).
"""

from __future__ import annotations

import ast
import configparser
import contextlib
import fnmatch
import os
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError
from realservices.fixtures.twin_files import twin_of
from realservices.mocks.convert.each_test import each_test

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from realservices.mocks.convert.conversion_results import FileResult

_DEFAULT = ["test_*.py", "*_test.py"]
_INI = {"pytest.ini": "pytest", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}


class TwinError(RealServicesError):
    """The original of a file cannot be kept."""


def write_with_twin(result: FileResult, root: Path) -> Path:
    """Write a converted file, and its original beside it, and return the twin.

    Args:
        result: What was converted.
        root: The project's directory.

    Raises:
        TwinError: pytest would collect the twin, or there is one that lacks tests which were converted now.
    """
    twin = twin_of(result.path)
    if pattern := next((each for each in _patterns(root) if fnmatch.fnmatch(twin.name, each)), ""):
        raise TwinError(
            f"{result.path}: its original would be kept as {twin.name}, which pytest collects "
            f"(python_files = {pattern}); write with --no-twins, or narrow python_files"
        )
    if twin.exists():
        _check_twin(twin, result)
    else:
        write_atomically(twin, result.before, like=result.path)
    write_atomically(result.path, result.after, like=result.path)
    return twin


def write_atomically(path: Path, text: str, *, like: Path) -> None:
    """Write a file in one step, with the permissions of another one: a reader sees the old text or the new one."""
    mode = like.stat().st_mode & 0o777
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
        temporary = Path(name)
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def drop_twins(paths: Iterable[Path]) -> Iterator[Path]:
    """Remove the twins of converted files, and yield each."""
    for path in paths:
        twin = twin_of(path)
        if twin.is_file():
            twin.unlink()
            yield twin


def _check_twin(twin: Path, result: FileResult) -> None:
    try:
        kept = {test.name for test in each_test(ast.parse(twin.read_text(encoding="utf-8")))}
    except (OSError, ValueError, SyntaxError) as error:
        raise TwinError(f"{twin}: the original cannot be read: {error}") from error
    missing = [name for name in result.converted if name not in kept]
    if missing:
        raise TwinError(
            f"{result.path}: its original {twin.name} lacks {missing[0]}, which is converted now and would be lost for "
            "USE_REAL_SERVICES=false; add it there, or drop the twin (`migrate convert --drop-mocks`)"
        )


def _patterns(root: Path) -> list[str]:
    """Return pytest's `python_files` of a project."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
        given = found["python_files"]
        return given.split() if isinstance(given, str) else [str(each) for each in given]
    for name, section in _INI.items():
        parser = configparser.RawConfigParser()
        with contextlib.suppress(configparser.Error, ValueError):
            parser.read(root / name, encoding="utf-8")
            if parser.has_option(section, "python_files"):
                return parser.get(section, "python_files").split()
    return _DEFAULT
