"""Scan one file: from its text to the uses of mocks in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from realservices.mocks.real_fixtures import is_real_fixture
from realservices.mocks.scan.context import context_of
from realservices.mocks.scan.evidence import Judge
from realservices.mocks.scan.finder import Finder
from realservices.mocks.scan.grading import hard_of, stays_because
from realservices.mocks.scan.inherited import Inherited, Neighbour
from realservices.mocks.scan.mock_usage import facts_of
from realservices.mocks.scan.module_summary import imports_of
from realservices.mocks.scan.reading import UnreadableError, parse_source, read_source, too_deep
from realservices.mocks.scan.scopes import INSTANCE
from realservices.mocks.scan_model import Form, MockUse, TestFile

if TYPE_CHECKING:
    from realservices.mocks.scan.draft import Draft, Notes
    from realservices.mocks.scan.evidence import Verdict
    from realservices.mocks.scan.project_names import Project

_NOTHING = Neighbour((), frozenset())


def scan_source(text: str, path: Path, project: Project) -> TestFile:
    """Return the mocks of one file.

    Args:
        text: What is in it.
        path: Its path, relative to the project's root; it need not be there.
        project: Where names lead, and which conftest.py files are around it.
    """
    return Scanner(project).scan(text, path)


class Scanner:
    """Scans files of one project, and remembers those that others use.

    Args:
        project: The project.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._neighbours: dict[Path, Neighbour] = {}

    def scan_file(self, path: Path) -> TestFile:
        """Return the mocks of a file of the project, or why it could not be read."""
        try:
            text = read_source(self.project.root / path)
        except UnreadableError as error:
            return TestFile(path=path, error=str(error))
        return self.scan(text, path)

    def scan(self, text: str, path: Path) -> TestFile:
        """Return the mocks of a text."""
        try:
            notes, uses = self._scan(text, path)
        except UnreadableError as error:
            return TestFile(path=path, error=str(error))
        except RecursionError:
            return TestFile(path=path, error=str(too_deep()))
        return _file(path, notes, uses)

    def neighbour(self, path: Path) -> Neighbour:
        """Return what is in a file that another one uses."""
        if path not in self._neighbours:
            self._neighbours[path] = _NOTHING  # Files that import each other find nothing more in each other.
            try:
                notes, uses = self._scan(read_source(self.project.root / path), path)
                self._neighbours[path] = Neighbour(uses, frozenset(notes.fixtures))
            except (UnreadableError, RecursionError):
                pass  # It is listed by itself.
        return self._neighbours[path]

    def _scan(self, text: str, path: Path) -> tuple[Notes, tuple[MockUse, ...]]:
        tree = parse_source(text)
        inherited = Inherited(path, self.project, self)
        module = self.project.module_name(path)
        imports = imports_of(tree, module, path)
        context = context_of(path, imports)
        notes = Finder(module, path, inherited, context[0]).walk(tree)
        judge = Judge(path, notes, self.project, context)
        lines = [] if text.isascii() else text.splitlines()
        uses = [
            _finished(draft, notes, verdict, judge, lines, imports)
            for draft, verdict in zip(notes.drafts, judge.verdicts(), strict=True)
        ]
        return notes, tuple(sorted(uses, key=lambda use: (use.line, use.column)))


def _file(path: Path, notes: Notes, uses: tuple[MockUse, ...]) -> TestFile:
    leaving = {(use.line, use.column) for use in uses if not use.stays}
    assertions = sum(
        attribute.startswith("assert_")
        for draft in notes.drafts
        if (getattr(draft.node, "lineno", 1), getattr(draft.node, "col_offset", 0)) in leaving
        for _, _, attributes in facts_of(draft, notes)
        for attribute in attributes
    )
    return TestFile(
        path=path,
        uses=uses,
        tests=notes.tests,
        fixtures=tuple(sorted(name for name in notes.parameters if is_real_fixture(name))),
        markers=tuple(sorted(name.removeprefix("requires_") for name in notes.markers if name.startswith("requires_"))),
        assertions=assertions,
        imports_mocks=bool(notes.libraries),
    )


def _finished(
    draft: Draft, notes: Notes, verdict: Verdict, judge: Judge, lines: list[str], imports: list[str]
) -> MockUse:
    line = getattr(draft.node, "lineno", 1)
    full = judge.definition(draft.target).full if draft.target else ""
    return MockUse(
        line=line,
        column=_column(getattr(draft.node, "col_offset", 0), line, lines),
        form=draft.form,
        api=draft.api.removesuffix(INSTANCE),
        target=draft.target,
        names=tuple(dict.fromkeys(draft.names)),
        scope=draft.scope.name,
        service=verdict.service,
        evidence=verdict.evidence,
        hard=hard_of(draft, notes, verdict),
        stays=stays_because(
            draft,
            notes,
            verdict,
            full,
            works_on_sqlite=draft.form is Form.SQLITE and judge.works_on_sqlite(imports),
        ),
    )


def _column(offset: int, line: int, lines: list[str]) -> int:
    """Return a column in characters; the parser counts bytes of UTF-8."""
    if not 0 < line <= len(lines):
        return offset
    return len(lines[line - 1].encode()[:offset].decode(errors="ignore"))
