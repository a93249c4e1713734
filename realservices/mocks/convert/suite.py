"""Convert the test files below some paths: the project around them, its tables, and each file by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import FileResult
from realservices.mocks.convert.database_schema import Schema, read_schema
from realservices.mocks.convert.file_conversion import FileConverter
from realservices.mocks.convert.import_check import import_problem
from realservices.mocks.scan import Project
from realservices.mocks.targets.test_files import test_files
from realservices.sources.project import project_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


def convert_files(
    paths: Iterable[Path],
    *,
    checks_imports: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[FileResult]:
    """Yield what becomes of test files; nothing is written.

    Args:
        paths: Files and directories.
        checks_imports: Whether a converted file must import, too.
        progress: Told what is under way.

    Raises:
        RealServicesError: There is no such path, or the project's PostgreSQL does not start with its migrations.
    """
    converters: dict[Path, FileConverter] = {}
    for path in test_files(paths):
        root = project_root(path.parent)
        if root not in converters:
            progress(f"the tables of {root}")
            converters[root] = FileConverter(Project(root), _LazySchema(root))
        progress(str(path))
        result = converters[root].convert(path)
        if checks_imports and result.is_changed:
            _check_import(result, converters[root].module_name(path), root)
        yield result


class _LazySchema(Schema):
    """Tables that are read, and PostgreSQL started, when the first test asks for one."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root
        self._is_read = False

    def __getattribute__(self, name: str) -> object:
        if name == "tables" and not super().__getattribute__("_is_read"):
            self._is_read = True
            self.tables = read_schema(self._root).tables
        return super().__getattribute__(name)


def _check_import(result: FileResult, name: str, root: Path) -> None:
    problem = import_problem(result.after, name, result.path, root)
    if not problem:
        return
    if import_problem(result.before, name, result.path, root):
        result.notes.append(f"the file could not be imported before, either: {problem}")
        return
    result.after, result.converted, result.services = result.before, [], set()
    result.error = f"the converted file cannot be imported, so it stays as it is: {problem}"
