"""The layout of files of SQL: that of the tool which the project depends on, else the one which their marks name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realservices.contract.errors import TemplateError
from realservices.schema.arrange import arrange
from realservices.schema.flyway import letter_of
from realservices.schema.left_out import refuse_left_out

if TYPE_CHECKING:
    from realservices.cli.proposal.project_evidence import Evidence
    from realservices.cli.proposal.sql_folders import SqlFiles

    Named = list[tuple[str, str]]

_LAYOUT = re.compile(r'layout = "([\w-]+)"')
# Its own tools, and others that apply its files so.
_OF_DEPENDENCY = {
    "cargo:diesel": "diesel", "cargo:diesel-async": "diesel", "cargo:diesel_migrations": "diesel",
    "cargo:refinery": "refinery", "cargo:sqlx": "sqlx", "npm:db-migrate": "db-migrate",
    "npm:node-pg-migrate": "node-pg-migrate", "npm:postgrator": "postgrator", "npm:postgrator-cli": "postgrator",
    "go:github.com/golang-migrate/migrate": "golang-migrate", "go:github.com/pressly/goose": "goose",
    "go:github.com/jackc/tern": "tern", "go:github.com/rubenv/sql-migrate": "sql-migrate",
    "yoyo-migrations": "yoyo",
}  # fmt: skip


def proposed_layout(found: Evidence, files: SqlFiles) -> tuple[str, str]:
    """Return the layout of files, "" where they need none, and why that cannot apply them, "" if it can."""
    named = [(str(path.relative_to(found.root)), str(path)) for path in files.paths]
    layout = files.layout or _of_tool(found, named) or _of_marks(named)
    return layout, _objection(layout, named)


def _of_tool(found: Evidence, named: Named) -> str:
    """Return the layout of a tool that the project has, and that would apply the files, or whose names they have."""
    layouts = [layout for name, layout in _OF_DEPENDENCY.items() if name in found.dependencies]
    if named and all(letter_of(shown.rpartition("/")[2]) for shown, _ in named):
        return next((layout for layout in layouts if layout == "refinery"), "flyway")
    return next((layout for layout in layouts if not _objection(layout, named)), "")


def _of_marks(named: Named) -> str:
    """Return the layout that the refusal of files without one names; empty: they need none, or it names none."""
    layouts = {layout for layout in _LAYOUT.findall(_objection("", named)) if layout != "plain"}
    return layouts.pop() if len(layouts) == 1 else ""


def _objection(layout: str, named: Named) -> str:
    try:
        arrange(layout, named)
        refuse_left_out(layout, named)
    except TemplateError as error:
        return str(error)
    return ""
