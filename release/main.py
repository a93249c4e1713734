"""The command line of tools/release: `version`, `notes`, `build`."""

from __future__ import annotations

import argparse
import datetime
import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from release import changelog, distributions, versions
from release.commands import run
from release.errors import ReleaseError

CHECKOUT = Path(__file__).resolve().parent.parent
_CHANGELOG = "CHANGELOG.md"
_METADATA = ".bcr/metadata.template.json"


def main(arguments: Sequence[str], root: Path = CHECKOUT) -> int:
    """Do what is asked for and return the exit code."""
    options = _parse(arguments)
    try:
        options.run(options, root)
    except ReleaseError as error:
        print(f"release: error: {error}", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/release", description="What a release is made by (docs/releasing.md).")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    new = commands.add_parser("version", help="give everything a new version, close the changelog, commit and tag")
    new.add_argument("version", help="as 1.2.3 or 1.2.3-rc1")
    new.add_argument("--date", default=datetime.datetime.now(tz=datetime.UTC).date().isoformat(), help="today")
    new.add_argument("--dry-run", action="store_true", help="show what would be changed, and change nothing")
    new.set_defaults(run=_version)
    notes = commands.add_parser("notes", help="print what the changelog says of a version")
    notes.add_argument("version")
    notes.set_defaults(run=_notes)
    build = commands.add_parser("build", help="build and check the source archive and the wheel")
    build.add_argument("--output", type=Path, default=Path("dist"), help="an empty directory (default: dist)")
    build.add_argument("--revision", default="HEAD", help="the commit (default: HEAD)")
    build.set_defaults(run=_build)
    return parser.parse_args(arguments)


def _version(options: argparse.Namespace, root: Path) -> None:
    before = versions.current(root)
    if versions.order(options.version) <= versions.order(before) and _git(root, "tag", "--list", f"v{before}"):
        raise ReleaseError(f"{options.version} is not newer than {before}, which is released")
    files = versions.with_version(root, options.version)
    files[_CHANGELOG] = changelog.close((root / _CHANGELOG).read_text(encoding="utf-8"), options.version, options.date)
    obstacles = _obstacles(root)
    if options.dry_run:
        _show(root, files)
        for obstacle in obstacles:
            print(f"release: would be refused: {obstacle}", file=sys.stderr)
        return
    if obstacles:
        raise ReleaseError("\n".join(obstacles))
    for path, text in files.items():
        (root / path).write_text(text, encoding="utf-8")
    _git(root, "add", *files)
    _git(root, "commit", "--quiet", "--message", f"Release {options.version}")
    _git(root, "tag", "--annotate", "--message", options.version, f"v{options.version}")
    print(f"committed and tagged v{options.version}; to publish it:  git push --atomic origin HEAD v{options.version}")


def _obstacles(root: Path) -> list[str]:
    found = []
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    if changed:
        found.append(f"the checkout has changes that are not committed:\n{changed}")
    if "OWNER" in (root / _METADATA).read_text(encoding="utf-8"):
        found.append(f"{_METADATA} still has OWNER: write where the project is at home, and who maintains it")
    return found


def _show(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        old = (root / path).read_text(encoding="utf-8")
        sys.stdout.writelines(
            difflib.unified_diff(old.splitlines(True), text.splitlines(True), f"a/{path}", f"b/{path}", n=1)
        )


def _notes(options: argparse.Namespace, root: Path) -> None:
    print(changelog.section((root / _CHANGELOG).read_text(encoding="utf-8"), options.version), end="")


def _build(options: argparse.Namespace, root: Path) -> None:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("REALSERVICES_CACHE_DIR") or base / "rules_realservices")
    python = distributions.tools(root, cache)
    for file in distributions.build(root, options.revision, options.output.absolute(), python):
        print(file)


def _git(root: Path, *arguments: str) -> str:
    return run("git", "-C", str(root), *arguments)
