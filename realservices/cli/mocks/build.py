"""Give the BUILD targets of tests on real services these services; without Bazel, propose what the project declares.

Without --write a diff is shown and nothing is changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.cli.exit_codes import EXIT_ERROR, EXIT_OK
from realservices.cli.proposal.project_evidence import Evidence, look
from realservices.cli.proposal.proposed_target import service_blocks
from realservices.cli.proposal.proposed_toml import Proposal, propose
from realservices.control.console import Console
from realservices.sources.declarations import declared_in, read_project
from realservices.sources.project import project_root

if TYPE_CHECKING:
    import argparse

    from realservices.mocks.targets.changes import Changes

HELP = "give the targets of converted tests their services"
_VERSION = 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="test files, or directories of them")
    parser.add_argument("--write", action="store_true", help="change the files; by default a diff is shown")


def run(options: argparse.Namespace) -> int:
    """Look at the tests, propose or write."""
    from realservices.mocks.targets.changes import Changes, changes_for, repository_of, workspace_of  # noqa: PLC0415 - for this command only
    from realservices.mocks.targets.test_files import test_files  # noqa: PLC0415 - for this command only

    tests = test_files(options.paths)
    root = workspace_of(tests[0]) if tests else None
    project = project_root(tests[0].parent if tests else None)
    changes = changes_for(tests, root) if root else Changes()
    found = look(root or project)
    proposal = _proposal(found, changes.undeclared if root else _kinds(tests) - _declared_kinds(project))
    if options.write:
        for path, (_, new) in changes.texts.items():
            path.write_text(new, encoding="utf-8")
    console = Console()
    blocks = service_blocks(proposal) if root else []
    if root and blocks:
        rules = ", ".join(f'"{kind}_service"' for kind in proposal.services)
        blocks.insert(0, f'load("@{repository_of(root)}//rules:defs.bzl", {rules})')
    toml = proposal.toml("tool.realservices.") if proposal.services and not root else ""
    if options.json:
        console.json(_content(changes, blocks, toml, is_written=options.write))
    else:
        _tell(console, changes, blocks, toml, root, is_written=options.write)
    return EXIT_ERROR if changes.problems else EXIT_OK


def _kinds(tests: list[Path]) -> set[str]:
    from realservices.mocks.targets.needed_kinds import kinds_of  # noqa: PLC0415 - for this command only

    return {kind for path in tests for kind in kinds_of(path)}


def _declared_kinds(project: Path) -> set[str]:
    return {service.kind for service in read_project(project).services.values()} if declared_in(project) else set()


def _proposal(found: Evidence, kinds: set[str]) -> Proposal:
    """Return what `init` proposes, for these kinds only."""
    proposal = propose(found)
    proposal.services = {kind: proposal.services.get(kind, []) for kind in sorted(kinds)}
    proposal.further = {name: each for name, each in proposal.further.items() if each[0] in kinds}
    return proposal


def _tell(
    console: Console, changes: Changes, blocks: list[str], toml: str, root: Path | None, *, is_written: bool
) -> None:
    for path, (old, new) in changes.texts.items():
        if is_written:
            console.line(f"written: {path}")
        else:
            console.diff(str(path), old, new)
    if blocks:
        console.line(
            f"\nNo BUILD file declares {', '.join(sorted(changes.undeclared))}. Proposed for {root}/BUILD.bazel:\n"
        )
        console.line("\n\n".join(blocks))
    if toml:
        console.line(f"Proposed for pyproject.toml (`init --write` adds all that it finds):\n\n{toml}")
    if changes.added:
        console.line(f"New targets have no deps yet: add what is tested by {', '.join(changes.added)}")
    for problem in changes.problems:
        console.line(problem)
    if not changes.texts and not blocks and not toml and not changes.problems:
        console.line("Every target has the services that its tests use")
    elif changes.texts and not is_written:
        console.line("Nothing is written yet: --write does it")


def _content(changes: Changes, blocks: list[str], toml: str, *, is_written: bool) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "files": [str(path) for path in changes.texts],
        "services": "\n\n".join(blocks),
        "declaration": toml,
        "problems": changes.problems,
        "written": is_written and bool(changes.texts),
    }
