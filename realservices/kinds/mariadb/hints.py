"""By what `init` finds out that a project uses MariaDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.cli.proposal.kind_hints import KindHints
from realservices.cli.proposal.proposed_schema import add_migrators_environment, add_schema_of
from realservices.kinds.mariadb.kind import KIND

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
    migrators_names = "MARIADB_URL and TEST_MARIADB_*"
    migrated = 2
    schema_key = "migrations"
    page = "docs/mariadb.md"
    sql_folders = r"mariadb|mysql"
    sql_words = r"\bENGINE\s*=\s*(?:InnoDB|Aria|MyISAM)\b|\bAUTO_INCREMENT\b|\b(?:TABLE|EXISTS|INTO|UPDATE)\s+`\w"

    def add_schema(self, proposal: Proposal, found: Evidence) -> None:
        add_schema_of(proposal, found, KIND.name, self)

    def add_environment(self, proposal: Proposal, found: Evidence) -> None:
        if proposal.migrated == KIND.name:
            add_migrators_environment(proposal, found, KIND.name, self)


HINTS = _MariaDB()
