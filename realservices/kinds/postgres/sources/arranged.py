"""A project's files of SQL in the order in which they are run, on a server of the session's and on an external one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from realservices.contract.errors import TemplateError
from realservices.schema.arrange import arrange
from realservices.schema.left_out import refuse_left_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.kinds.postgres.sources.included import Included
    from realservices.schema.script import Script

    Named = Sequence[tuple[str, str]]


def arranged(layout: str, migrations: Named, seeds: Named, included: Included) -> list[Script]:
    """Return migrations and seeds.

    Args:
        layout: Whose files the migrations are.
        migrations: As they are named: for messages, and where each is.
        seeds: Likewise.
        included: What psql reads besides.

    Raises:
        SettingError: What psql includes cannot be told.
        TemplateError: Files are a tool's, and not what the layout says.
    """
    scripts = arrange(layout, migrations, seeds)
    refuse_left_out(layout, migrations)
    if layout != "plain":
        _refuse_included([*migrations, *seeds], included)
    return scripts


def _refuse_included(named: Named, included: Included) -> None:
    """Refuse a file that is run by itself, and by another one that includes it."""
    shown_of = {Path(path).resolve(): shown for shown, path in named}
    for shown, path in named:
        twice = next((each for each in included.scripts(Path(path)) if each.resolve() in shown_of), None)
        if twice:
            raise TemplateError(
                f"{shown_of[twice.resolve()]} is included by {shown}, and would be run twice, as it is named, too: "
                'have migrations and seeds name only the files that include others; layout = "plain" runs both'
            )
