"""Look at this project and propose what to declare: which services, their schema, and the names that it reads.

Read are pyproject.toml, requirements, package.json and its like, alembic.ini, manage.py, settings, compose files, .env
files, folders of SQL and MODULE.bazel. Nothing is run, and nothing is written without --write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realservices.cli.exit_codes import EXIT_ERROR, EXIT_OK
from realservices.cli.proposal.project_evidence import look
from realservices.cli.proposal.proposed_target import build_text
from realservices.cli.proposal.proposed_toml import propose
from realservices.contract.errors import RealServicesError
from realservices.control.console import Console
from realservices.kinds.registry import find
from realservices.sources.declarations import declared_in, read_project
from realservices.sources.errors import SettingError
from realservices.sources.project import project_root

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from realservices.cli.proposal.proposed_toml import Proposal

HELP = "propose what this project should declare"
EPILOG = "Exit codes: 0 something is proposed; 1 nothing was found, or it is declared already; 2 wrong usage."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--write", action="store_true", help="add the declaration to the project's file")


def run(options: argparse.Namespace) -> int:
    """Look, propose, write if that is wanted."""
    root = project_root()
    if path := declared_in(root):
        raise RealServicesError(
            f"{path} declares services already; `python -m realservices doctor` looks at them, and "
            "`python -m realservices validate` uses them"
        )
    found = look(root)
    proposal = propose(found)
    target, prefix = _target(root)
    toml = proposal.toml(prefix) if proposal.services else ""
    if toml and options.write:
        _write(root, target, toml)
    build = build_text(proposal) if found.has_bazel and toml else ""
    console = Console()
    if options.json:
        console.json(_content(proposal, target, toml, build, is_written=options.write))
    else:
        _tell(console, proposal, target, toml, build, is_written=options.write)
    return EXIT_OK if toml else EXIT_ERROR


def _target(root: Path) -> tuple[Path, str]:
    """Return the file to declare in, and what tables' names begin with there."""
    pyproject = root / "pyproject.toml"
    return (pyproject, "tool.realservices.") if pyproject.is_file() else (root / "realservices.toml", "")


def _write(root: Path, target: Path, toml: str) -> None:
    before = target.read_text(encoding="utf-8") if target.exists() else None
    target.write_text(f"{before.rstrip()}\n\n{toml}" if before else toml, encoding="utf-8")
    try:
        read_project(root)
    except SettingError:
        # Whatever is wrong with it, the project stays as it was.
        if before is None:
            target.unlink()
        else:
            target.write_text(before, encoding="utf-8")
        raise


def _content(proposal: Proposal, target: Path, toml: str, build: str, *, is_written: bool) -> dict[str, Any]:
    return {
        "version": 1,
        "services": {kind: reasons for kind, reasons in proposal.reasons.items() if reasons},
        "file": str(target),
        "declaration": toml,
        "build": build,
        "extras": proposal.extras,
        "questions": proposal.questions,
        "written": bool(toml) and is_written,
    }


def _tell(console: Console, proposal: Proposal, target: Path, toml: str, build: str, *, is_written: bool) -> None:
    if not toml:
        console.line(
            "Nothing here speaks of PostgreSQL, Redis, ClickHouse or MariaDB: no dependency, compose file, .env file "
            "or folder of SQL. A test that asks for isolated_database or isolated_redis gets one without "
            "any declaration."
        )
    for kind, reasons in proposal.reasons.items():
        if reasons:
            console.line(f"{find(kind).title}: {', '.join(reasons)}")
    if toml:
        console.line(f"\n{'Written to' if is_written else 'Proposed for'} {target}:\n\n{toml}")
        console.line(f"pip install 'rules-realservices[{','.join(proposal.extras)}]'")
    if build:
        console.line(f"\nProposed for a BUILD file (MODULE.bazel: README.md):\n\n{build}")
    if proposal.questions:
        console.line("\nWhat could not be told:")
        for question in proposal.questions:
            console.line(f"  - {question}")
    if toml and not is_written:
        console.line("\nNothing is written yet: `python -m realservices init --write` does it")
