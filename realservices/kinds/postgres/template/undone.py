"""Migrations that make tables and leave none: a part that undoes them was run, too, with a mark that nobody knows."""

from __future__ import annotations

import os

from realservices.contract.errors import TemplateError
from realservices.kinds.postgres.template.elsewhere import TABLES
from realservices.schema.psql_scan import LARGEST_SCANNED_BYTES, pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.kinds.postgres.template.cluster import Cluster
    from realservices.schema.script import Script

_MAKE = (["CREATE", "TABLE"], ["CREATE", "UNLOGGED", "TABLE"], ["CREATE", "FOREIGN", "TABLE"])


def refuse_undone(cluster: Cluster, database: str, scripts: Sequence[Script]) -> None:
    """Refuse files without a layout after which there is no table, although they make some.

    Raises:
        TemplateError: They do.
    """
    if not scripts or cluster.ask(database, TABLES) != ["0"]:
        return
    for script in scripts:
        if line := _line_of_table(script):
            raise TemplateError(
                f"{script.kind} {script.shown}, line {line} makes a table, and after all files there is none: a part "
                "that undoes the rest was run, too. Have migrations name only what is to be applied, or write the "
                'layout of its tool (docs/schema.md); layout = "plain" says that it is meant'
            )


def _line_of_table(script: Script) -> int:
    """Return the line of the first statement that makes a table, 0 if there is none."""
    if os.path.getsize(script.path) > LARGEST_SCANNED_BYTES:
        return 0
    with open(script.path, "rb") as file:
        found = (piece.line for piece in pieces(file.read()) if any(piece.words[: len(make)] == make for make in _MAKE))
        return next(found, 0)
