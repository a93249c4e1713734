"""By what `init` finds out that a project uses MariaDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.cli.proposal.kind_hints import KindHints

if TYPE_CHECKING:
    from realservices.cli.proposal.project_evidence import Evidence
    from realservices.cli.proposal.proposed_toml import Proposal


class _MariaDB(KindHints):
    # Drivers of MySQL say nothing of which of the two it is.
    images = ("mariadb",)
    packages = ("mariadb", "npm:mariadb", "maven:org.mariadb.jdbc:mariadb-java-client")
    service = "shop"
    words = r"MARIADB"
    schemes = ("mariadb",)
    given = ("MARIADB_URL",)

    def target(self, proposal: Proposal, found: Evidence) -> str:
        return f'mariadb_service(name = "{self.service}")'


HINTS = _MariaDB()
