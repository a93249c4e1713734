"""Migrators on the PostgreSQL that a template is made with."""

from __future__ import annotations

from realservices.contract.errors import TemplateError
from realservices.kinds.postgres.databases import end_clients
from realservices.kinds.postgres.template.ledgers import forget_times
from realservices.schema.psql_words import indented
from realservices.services.migrator_runs import run_migrators

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.kinds.postgres.template.cluster import Cluster

_FIRST_WITH_EXACT_SESSIONS = 150000
_END_CLIENTS = end_clients("backend_type = 'client backend'")
# Our own connections are to postgres, and write nothing.
_TRACES = """
SELECT pg_current_wal_insert_lsn(), sum(sessions) FROM pg_stat_database WHERE datname IS DISTINCT FROM 'postgres'
"""


def migrate_postgres(cluster: Cluster, spec: dict[str, Any], database: str, directory: str) -> None:
    """Run the migrators that ``--migrate`` describes; see `run_migrators`."""
    run_migrators(
        spec,
        "postgres",
        cluster.endpoint(database),
        directory,
        traces=lambda: _traces(cluster),
        remedy='DATABASE_URL or the PG* variables, or name what it reads in migrate_env: {"SQLALCHEMY_URL": "$(url)"}',
    )
    cluster.forget_password()
    forget_times(cluster, database, directory)


def _traces(cluster: Cluster) -> object:
    done = cluster.psql("postgres", "-At", "-c", _END_CLIENTS, "-c", _TRACES)
    if done.returncode:
        raise TemplateError(f"the connections of migrators cannot be ended:\n{indented(done.stderr)}")
    # An older one does not count each session: every migrator counts as one that has connected.
    return done.stdout if cluster.version_num >= _FIRST_WITH_EXACT_SESSIONS else object()
