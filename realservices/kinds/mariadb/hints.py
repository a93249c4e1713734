"""By what `init` finds out that a project uses MariaDB."""

from __future__ import annotations

from realservices.cli.proposal.kind_hints import KindHints


class _MariaDB(KindHints):
    # Drivers of MySQL say nothing of which of the two it is.
    images = ("mariadb",)
    packages = ("mariadb", "npm:mariadb", "maven:org.mariadb.jdbc:mariadb-java-client")
    rule = "mariadb_service"
    service = "shop"
    words = r"MARIADB"
    schemes = ("mariadb",)
    given = ("MARIADB_URL",)


HINTS = _MariaDB()
