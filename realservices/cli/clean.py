"""Remove what killed sessions have left: directories, locks, half-made templates.

Nothing that is in use is touched: its user holds a lock on it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from realservices.cli.exit_codes import EXIT_ERROR, EXIT_OK
from realservices.cli.leftovers import Leftover, State, sweep
from realservices.control.console import Console, shown_bytes
from realservices.system.terminal_text import as_text

if TYPE_CHECKING:
    import argparse

HELP = "remove what killed sessions have left"
_VERSION = 1
_WORDS = {State.LEFT: "would remove", State.REMOVED: "removed", State.IN_USE: "in use", State.FAILED: "CANNOT remove"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--templates", action="store_true", help="also remove unused templates; they are made again on demand"
    )
    parser.add_argument(
        "--warm", action="store_true", help="also end warm services that wait for a session (docs/warm.md)"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")


def run(options: argparse.Namespace) -> int:
    """Remove, and say what."""
    console = Console()
    found: list[Leftover] = []
    for each in sweep(remove=not options.dry_run, templates=options.templates, warm=options.warm):
        found.append(each)
        console.progress(f"{_WORDS[each.state]} {each.path}")
        if not options.json and each.state is not State.IN_USE:
            console.progress("")
            reason = f": {each.reason}" if each.reason else ""
            shown = f"{shown_bytes(each.size_bytes):>9}  {as_text(each.path)}  ({each.what}){reason}"
            console.line(f"{_WORDS[each.state]}  {shown}")
    console.progress("")
    if options.json:
        console.json(_as_json(found, options.dry_run))
    else:
        console.line(_summary(found))
    return EXIT_ERROR if _of(found, State.FAILED) else EXIT_OK


def _of(found: list[Leftover], *states: State) -> list[Leftover]:
    return [each for each in found if each.state in states]


def _size(found: list[Leftover]) -> int:
    return sum(each.size_bytes for each in found)


def _summary(found: list[Leftover]) -> str:
    parts = []
    for state in (State.LEFT, State.REMOVED, State.FAILED):
        some = _of(found, state)
        if some:
            parts.append(f"{_WORDS[state]} {len(some)}, {shown_bytes(_size(some))}")
    used = _of(found, State.IN_USE)
    kept = f"; {len(used)} in use, {shown_bytes(_size(used))}, kept" if used else ""
    return (", ".join(parts) or "nothing to remove") + kept


def _as_json(found: list[Leftover], dry_run: bool) -> dict[str, object]:
    removed = _of(found, State.LEFT, State.REMOVED)
    return {
        "version": _VERSION,
        "dry_run": dry_run,
        "bytes": _size(removed),
        "entries": [dataclasses.asdict(each) for each in found],
    }
