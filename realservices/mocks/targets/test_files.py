"""The test files below some paths, by the names that pytest collects by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.contract.errors import RealServicesError
from realservices.mocks.scan.files import python_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def is_test_file(path: Path) -> bool:
    """Return whether pytest collects a file of this name by default."""
    return path.suffix == ".py" and (path.name.startswith("test_") or path.stem.endswith("_test"))


def test_files(paths: Iterable[Path]) -> list[Path]:
    """Return the test files below some paths, in order.

    Raises:
        RealServicesError: There is no such path.
    """
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found |= {(path / each).resolve() for each in python_files(path).files if is_test_file(each)}
        elif path.is_file():
            found.add(path.resolve())
        else:
            raise RealServicesError(f"{path}: there is no such file or directory")
    return sorted(found)


# pytest must not take this function for a test.
test_files.__test__ = False  # type: ignore[attr-defined]
