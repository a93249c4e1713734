"""Migrations that make tables and leave none: a part that undoes them was run, too, with a mark that nobody knows."""

from __future__ import annotations

from realservices.contract.errors import TemplateError
from realservices.schema.psql_scan import pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from realservices.schema.script import Script

_MAKE = (["CREATE", "TABLE"], ["CREATE", "UNLOGGED", "TABLE"], ["CREATE", "FOREIGN", "TABLE"])


def refuse_undone(scripts: Iterable[Script], remedy: str) -> None:
    """Refuse files that make tables, where there is none after all of them.

    Args:
        scripts: In the order in which they were applied.
        remedy: What to do.

    Raises:
        TemplateError: One makes a table.
    """
    for script in scripts:
        if line := _line_of_table(script):
            raise TemplateError(
                f"{script.kind} {script.shown}, line {line} makes a table, and after all files there is none: a part "
                f"that undoes the rest was run, too. {remedy}"
            )


def _line_of_table(script: Script) -> int:
    """Return the line of the first statement that makes a table, 0 if there is none."""
    statements = pieces(script.scanned())
    return next((each.line for each in statements if any(each.words[: len(make)] == make for make in _MAKE)), 0)
