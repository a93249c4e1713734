"""What killed sessions have left; `clean` removes it."""

from __future__ import annotations

from realservices.cli.checks.finding import Finding, warning
from realservices.cli.leftovers import State, sweep
from realservices.control.console import shown_bytes


def check_leftovers() -> Finding:
    """Look for what nobody holds any more."""
    left = [each for each in sweep(remove=False) if each.state is State.LEFT]
    locks = [each for each in left if each.is_lock]
    if len(left) == len(locks):
        return Finding("leftovers", "leftovers", f"{len(locks)} locks that no process holds" if locks else "none")
    size = sum(each.size_bytes for each in left)
    paths = [each.path for each in left if not each.is_lock]
    shown = ", ".join(paths[:3]) + (f" and {len(left) - len(paths[:3])} more" if len(left) > len(paths[:3]) else "")
    return warning(
        "leftovers", "leftovers", f"{len(left)} of killed sessions, {shown_bytes(size)}: {shown}",
        meaning="They take space, and nothing else.", remedy="python -m realservices clean",
    )  # fmt: skip
