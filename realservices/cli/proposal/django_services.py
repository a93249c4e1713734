"""A service for each database of Django's settings, with the variables that it is read from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from realservices.contract.manifest_shapes import is_service_name

if TYPE_CHECKING:
    from realservices.cli.proposal.project_evidence import Evidence
    from realservices.cli.proposal.proposed_toml import Proposal

_DEFAULT = "default"


def add_databases(proposal: Proposal, found: Evidence, *, kind: str, service: str) -> None:
    """Add a service for each database beside the default one, and what is to be written into the settings.

    Args:
        proposal: With the default database's service and all variables.
        found: What Django's settings say.
        kind: Of all of them.
        service: What the default database's service is called.
    """
    proposal.questions.append(
        f'{found.aliases_in}: with "TEST": {{"TEMPLATE": "realservices_template"}} in each of DATABASES Django does '
        "not run all migrations in each run (docs/recipes.md)"
    )
    common = found.aliases.get(_DEFAULT, set())
    for alias, names in found.aliases.items():
        if alias == _DEFAULT:
            continue
        own = [name for name in proposal.env if name in names - common and f" {service}" in proposal.env[name]]
        if own and is_service_name(alias) and alias != service:
            lines = [_of_another(line, alias) for line in proposal.services[kind]]
            proposal.further[alias] = (kind, lines)
            proposal.env |= {name: proposal.env[name].replace(f" {service}", f" {alias}", 1) for name in own}
        else:
            proposal.questions.append(
                f"{found.aliases_in} has the database {alias}, too: where it is PostgreSQL it wants a service of its "
                f'own, with "--database", "{alias}" in migrate, and variables of its own (docs/recipes.md)'
            )


def _of_another(line: str, alias: str) -> str:
    """Return a line of the default database's service for another one, where all names lead to that one's server."""
    return line.removesuffix("]]") + f', "--database", {json.dumps(alias)}]]' if line.startswith("migrate = ") else line
