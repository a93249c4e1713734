"""Merge LCOV files, as Bazel's own merger does, where that one cannot be downloaded.

For --coverage_output_generator, which makes one file of what a test's processes wrote, and --coverage_report_generator,
which makes one of all tests' files. Options are those that Bazel gives to its own (tools/test/collect_coverage.sh). It
reads LCOV only: gcov's and LLVM's own formats are Bazel's business.

The format: geninfo's manual page, "FILES".
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence, Sized

_NOT_TAKEN = "-"


class _Source:
    """What is known of one source file: how often each line, branch and function ran."""

    def __init__(self) -> None:
        self.lines: Counter[int] = Counter()
        self.branches: dict[tuple[int, str, str], int | None] = {}
        self.functions: Counter[str] = Counter()
        self.places: dict[str, str] = {}

    def add(self, kind: str, value: str) -> None:
        """Add one record, such as ``DA:3,1``; sums are made anew."""
        if kind == "DA":
            line, count = value.split(",")[:2]
            self.lines[int(line)] += int(count)
        elif kind == "BRDA":
            line, block, branch, taken = value.split(",")
            key = int(line), block, branch
            before = self.branches.get(key)
            self.branches[key] = before if taken == _NOT_TAKEN else (before or 0) + int(taken)
        elif kind == "FN":
            place, _, name = value.rpartition(",")
            self.places[name] = place
        elif kind == "FNDA":
            count, _, name = value.partition(",")
            self.functions[name] += int(count)

    def text(self) -> Iterator[str]:
        """Yield the records, in the order of the manual page."""
        for name, place in self.places.items():
            yield f"FN:{place},{name}"
        for name in self.places:
            yield f"FNDA:{self.functions[name]},{name}"
        yield from _sums("FN", self.places, sum(self.functions[name] > 0 for name in self.places))
        for (line, block, branch), taken in sorted(self.branches.items()):
            yield f"BRDA:{line},{block},{branch},{_NOT_TAKEN if taken is None else taken}"
        yield from _sums("BR", self.branches, sum(bool(taken) for taken in self.branches.values()))
        for line, count in sorted(self.lines.items()):
            yield f"DA:{line},{count}"
        yield f"LH:{sum(count > 0 for count in self.lines.values())}"
        yield f"LF:{len(self.lines)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Merge, and write the result; return the exit code."""
    options = _options(arguments)
    sources: dict[str, _Source] = {}
    for path in _inputs(options):
        try:
            with path.open(encoding="utf-8") as lines:
                _read(lines, sources)
        except ValueError as error:
            print(f"coverage: {path} is no LCOV file: {error}", file=sys.stderr)
            return 1
    kept = _kept(sources, options)
    with Path(options.output_file).open("w", encoding="utf-8") as output:
        for name in kept:
            output.writelines(f"{line}\n" for line in (f"SF:{name}", *sources[name].text(), "end_of_record"))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coverage_dir", help="merge each *.dat file below it")
    parser.add_argument("--reports_file", help="merge the files that this one lists")
    parser.add_argument("--output_file", required=True)
    parser.add_argument("--source_file_manifest", help="keep only the sources that it lists")
    parser.add_argument("--filter_sources", action="append", default=[], metavar="REGEX", help="leave these out")
    parser.add_argument("--sources_to_replace_file", help="lines NAME:OTHER: what sources are called instead")
    return parser.parse_known_args(arguments)[0]


def _inputs(options: argparse.Namespace) -> Iterator[Path]:
    if options.reports_file:
        yield from map(Path, _lines(options.reports_file))
    if options.coverage_dir:
        output = Path(options.output_file).resolve()
        yield from (path for path in sorted(Path(options.coverage_dir).rglob("*.dat")) if path.resolve() != output)


def _read(lines: Iterable[str], sources: dict[str, _Source]) -> None:
    source = None
    for number, line in enumerate(lines, 1):
        kind, _, value = line.strip().partition(":")
        if kind == "SF":
            source = sources.setdefault(value, _Source())
        elif source:
            try:
                source.add(kind, value)
            except ValueError:
                raise ValueError(f"line {number} is {line.strip()[:80]!r}") from None


def _kept(sources: dict[str, _Source], options: argparse.Namespace) -> list[str]:
    """Return what is to be reported, sorted, under the names that it is to have."""
    if options.sources_to_replace_file:
        for line in _lines(options.sources_to_replace_file):
            name, _, other = line.partition(":")
            if name in sources:
                sources[other] = sources.pop(name)
    kept = set(sources)
    if options.source_file_manifest:
        kept &= set(_lines(options.source_file_manifest))
    return sorted(name for name in kept if not any(re.fullmatch(each, name) for each in options.filter_sources))


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def _sums(kind: str, found: Sized, hit: int) -> Iterator[str]:
    if found:
        yield f"{kind}F:{len(found)}"
        yield f"{kind}H:{hit}"
