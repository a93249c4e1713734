"""By what `init` finds out that a project uses a kind of service: the part `hints` of a kind (kinds/kind.py)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realservices.kinds.registry import find, names, part_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from realservices.cli.proposal.project_evidence import Evidence, Variable
    from realservices.cli.proposal.proposed_toml import Proposal


# What is none of ours, of which a variable's name may speak beside a word of ours: MONGO_DB_NAME, REDIS_CLUSTER_URL.
_OTHERS = re.compile(
    r"(?:^|_)(?:MONGO|MYSQL|MSSQL|ORACLE|SQLITE|NEO4J|CASSANDRA|COUCH|INFLUX|DYNAMO|ELASTIC|GEO|MAXMIND|BIGQUERY|SNOWFLAKE|REDIS_CLUSTER|SENTINEL)"
)


class KindHints:
    """What speaks for a kind.

    Attributes:
        images: Names of container images.
        packages: Names of packages that a project may depend on.
        service: What a declaration calls it.
        words: What variables that speak of it have in their names, as a regular expression.
        schemes: Of its URLs.
        lacks: What an address of it does not have, of ``user``, ``password`` and ``database``.
        given: Variables that tests have anyway, from when the service has started.
        migrators_names: What a migrator finds it by.
        migrated: Its place among the kinds whose schema the project's program may make; 0: it has no schema.
        schema_key: The key that names files of SQL.
        page: Of the documentation, about that key.
        sql_folders: What is in the names of folders of SQL that are its own, as a regular expression.
        sql_words: What is in such files alone.
    """

    images: Sequence[str] = ()
    packages: Sequence[str] = ()
    service = ""
    words = ""
    schemes: Sequence[str] = ()
    lacks: Sequence[str] = ()
    given: Sequence[str] = ()
    migrators_names = ""
    migrated = 0
    schema_key = ""
    page = ""
    sql_folders = ""
    sql_words = ""

    def reasons(self, found: Evidence) -> Iterable[str]:
        """Return what else speaks for it."""
        return ()

    def form_of(self, variable: Variable, found: Evidence) -> str:
        """Return the form that a URL should have whose value no file says, "" for the usual one."""
        return ""

    def add_schema(self, proposal: Proposal, found: Evidence) -> None:
        """Add lines to its table."""

    def add_environment(self, proposal: Proposal, found: Evidence) -> None:
        """Add what follows from the project's own variables, which are known now."""

    def ask(self, proposal: Proposal, found: Evidence) -> None:
        """Add what could not be told."""


def is_anothers(name: str) -> bool:
    """Return whether a variable speaks of a database that is no service of ours."""
    return bool(_OTHERS.search(name))


def hinted_kinds() -> list[str]:
    """Return the kinds that can be found out."""
    return [kind.name for kind in map(find, names()) if kind.hints]


def kind_hints(name: str) -> KindHints:
    """Return what speaks for a kind."""
    found: KindHints = part_of(name, "hints")
    return found
