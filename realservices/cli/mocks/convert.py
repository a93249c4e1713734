"""Rewrite tests that stand on mocks as tests of real services, and say what is left, and why.

Without --write a diff is shown and nothing is changed. With it, the original is kept beside each converted file, for
USE_REAL_SERVICES=false.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.cli.exit_codes import EXIT_ERROR, EXIT_OK
from realservices.contract.errors import RealServicesError
from realservices.control.console import Console
from realservices.sources.project import project_root

if TYPE_CHECKING:
    import argparse

    from realservices.mocks.convert.conversion_results import FileResult

HELP = "rewrite tests on mocks as tests on real services"
_VERSION = 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="test files, or directories of them")
    parser.add_argument("--write", action="store_true", help="change the files; by default a diff is shown")
    parser.add_argument("--no-twins", action="store_true", help="with --write: do not keep the originals")
    parser.add_argument(
        "--check-import",
        action="store_true",
        help="import each converted file in a process of its own; one that fails stays as it was",
    )
    parser.add_argument(
        "--templates", type=Path, metavar="DIR", help="write a template for each file that has tests left"
    )
    parser.add_argument(
        "--drop-mocks", action="store_true", help="remove the originals that were kept, and do nothing else"
    )


def run(options: argparse.Namespace) -> int:
    """Convert, show or write, report."""
    check_libcst()
    console = Console()
    if options.drop_mocks:
        return _drop(options, console)
    from realservices.mocks.convert.suite import convert_files  # noqa: PLC0415 - for this command only

    results: list[FileResult] = []
    written: list[Path] = []
    for result in convert_files(options.paths, checks_imports=options.check_import, progress=console.progress):
        console.progress("")
        if options.write and result.is_changed:
            _write(result, written, twins=not options.no_twins)
        if not options.json:
            _tell(console, result, shows_diff=not options.write)
        results.append(result)
    console.progress("")
    if options.templates:
        _write_templates(options.templates, results)
    if options.json:
        console.json(_content(results, written))
    else:
        _summarize(console, results, is_written=options.write)
    return EXIT_ERROR if any(result.error for result in results) else EXIT_OK


def check_libcst() -> None:
    """Raise where LibCST is missing.

    Raises:
        RealServicesError: It is, with what to install.
    """
    try:
        import libcst  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise RealServicesError(
            f"files are rewritten by LibCST, which is missing ({error}): pip install 'rules-realservices[migrate]'"
        ) from None


def _write(result: FileResult, written: list[Path], *, twins: bool) -> None:
    from realservices.mocks.convert.twins import TwinError, write_atomically, write_with_twin  # noqa: PLC0415 - for this command only

    try:
        if twins:
            write_with_twin(result, project_root(result.path.parent))
        else:
            write_atomically(result.path, result.after, like=result.path)
    except (OSError, TwinError) as error:
        result.after, result.converted, result.error = result.before, [], str(error)
        return
    written.append(result.path)


def _drop(options: argparse.Namespace, console: Console) -> int:
    from realservices.mocks.convert.twins import drop_twins  # noqa: PLC0415 - for this command only
    from realservices.mocks.targets.test_files import test_files  # noqa: PLC0415 - for this command only

    dropped = [str(path) for path in drop_twins(test_files(options.paths))]
    if options.json:
        console.json({"version": _VERSION, "dropped": dropped})
    else:
        console.line("\n".join([*(f"removed {path}" for path in dropped), f"{len(dropped)} originals removed"]))
    return EXIT_OK


def _write_templates(directory: Path, results: list[FileResult]) -> None:
    from realservices.mocks.convert.code_template import template_for, template_name  # noqa: PLC0415 - for this command only
    from realservices.mocks.convert.file_conversion import scanned_file  # noqa: PLC0415 - for this command only

    directory.mkdir(parents=True, exist_ok=True)
    for result in results:
        if result.left:
            root = project_root(result.path.parent)
            text = template_for(result, scanned_file(result, root))
            (directory / template_name(result.path, root)).write_text(text, encoding="utf-8")


def _tell(console: Console, result: FileResult, *, shows_diff: bool) -> None:
    name = str(result.path)
    if shows_diff and result.is_changed:
        console.diff(name, result.before, result.after)
    if result.error:
        console.line(f"{name}: {result.error}")
    if result.converted or result.left:
        console.line(f"{name}: {len(result.converted)} converted, {len(result.left)} left")
    for note in result.notes:
        console.line(f"  note: {note}")
    for left in result.left:
        console.line(f"  {left.test}, line {left.line}: {' '.join(left.what.split())}: {left.why}\n    → {left.remedy}")


def _summarize(console: Console, results: list[FileResult], *, is_written: bool) -> None:
    converted = sum(len(result.converted) for result in results)
    left = sum(len(result.left) for result in results)
    files = sum(result.is_changed for result in results)
    console.line(f"{len(results)} files: {converted} tests converted in {files} of them, {left} left")
    if files and not is_written:
        console.line("Nothing is written yet: --write does it")


def _content(results: list[FileResult], written: list[Path]) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "files": [result.content() | {"written": result.path in written} for result in results],
        "converted": sum(len(result.converted) for result in results),
        "left": sum(len(result.left) for result in results),
    }
