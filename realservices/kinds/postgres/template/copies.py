"""The databases that a template holds beside the programs' own: made while that is empty, filled in the archive.

A copy of a database that the server makes of another (CREATE DATABASE … STRATEGY FILE_COPY) is a copy of its files. So
the server makes the rows of the catalog, and the archive has links to the files: nothing is copied, and a template with
many tables is made in half the time. That is right once the server has been shut down: then all is in the files.
"""

from __future__ import annotations

import os

from realservices.kinds.postgres.databases import (
    PRISTINE_DATABASE,
    READY_DATABASES,
    TEMPLATE_DATABASE,
    copy_database,
    copy_properties,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.kinds.postgres.template.cluster import Cluster

COPIES = (TEMPLATE_DATABASE, PRISTINE_DATABASE, *READY_DATABASES)
# The first whose pg_walinspect says which blocks were written.
_FIRST_WITH_BLOCKS = 160000
_FIRST_WITH_LOGIN_TRIGGERS = 170000
_NUMBERS = """SELECT oid FROM pg_database WHERE datname IN ('{source}', {copies})
    ORDER BY datname = '{source}' DESC, oid"""
# A base has given them some.
_FORGET_SETTINGS = """DELETE FROM pg_db_role_setting
    WHERE setdatabase IN (SELECT oid FROM pg_database WHERE datname IN ({copies}))"""
_COPY_LOGIN_TRIGGERS = """UPDATE pg_database
    SET dathasloginevt = (SELECT dathasloginevt FROM pg_database WHERE datname = '{source}')
    WHERE datname IN ({copies})"""


def create_copies(cluster: Cluster, source: str) -> None:
    """Make databases like ``source``, which is empty yet."""
    with cluster.closed(source):
        copies = [copy_database(source, database, cluster.version_num) for database in COPIES]
        cluster.execute("postgres", *copies, what=f"cannot copy database {source!r}")
    if cluster.version_num >= _FIRST_WITH_BLOCKS:
        # Not every distribution has it. Without it databases are made anew instead of restored.
        cluster.psql("postgres", "-c", "CREATE EXTENSION pg_walinspect")


def finish_copies(cluster: Cluster, source: str) -> dict[int, int]:
    """Give them the properties of ``source``, which is complete, and return whose files each one's are, by number."""
    names = {"copies": ", ".join(f"'{name}'" for name in COPIES), "source": source}
    statements = [_FORGET_SETTINGS.format(**names), *(copy_properties(source, database) for database in COPIES)]
    if cluster.version_num >= _FIRST_WITH_LOGIN_TRIGGERS:
        statements.append(_COPY_LOGIN_TRIGGERS.format(**names))
    statements.append(f"ALTER DATABASE {TEMPLATE_DATABASE} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false")
    statements.append(_NUMBERS.format(**names))
    what = f"cannot set up the copies of {source!r}"
    original, *copies = map(int, cluster.ask("postgres", *statements, what=what))
    return dict.fromkeys(copies, original)


def linked_directories(data: str, copies: dict[int, int]) -> dict[str, str]:
    """Return whose files a copy's are, by directories within the data directory.

    One database has a directory in each tablespace that it has something in.
    """
    found = {}
    spaces = [os.path.join("pg_tblspc", space) for space in sorted(os.listdir(os.path.join(data, "pg_tblspc")))]
    versions = [os.path.join(space, name) for space in spaces for name in sorted(os.listdir(os.path.join(data, space)))]
    for copy, original in copies.items():
        for parent in ("base", *versions):
            if os.path.isdir(os.path.join(data, parent, str(original))):
                found[f"{parent}/{copy}"] = f"{parent}/{original}"
    return found
