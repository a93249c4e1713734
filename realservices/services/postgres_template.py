"""Build action: make a migrated and seeded PostgreSQL data directory, once, as a Bazel output.

initdb, extensions, migrations in order, migrators, seeds; then a copy for programs that use DATABASE_URL, and one
archive of it all. A statement that the server refuses fails the build with file, line, statement and the server's
words.

psql applies the files, because it is what everybody's migrations were written against: several statements outside of
a transaction, COPY FROM stdin as pg_dump writes it, and error positions.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import sys

from realservices.contract.errors import RealServicesError, TemplateError
from realservices.contract.postgres_databases import (
    PRISTINE_DATABASE,
    READY_DATABASES,
    TEMPLATE_DATABASE,
    copy_settings,
)
from realservices.contract.resources import explain
from realservices.host.abandoned import remove_abandoned
from realservices.host.marks import mark_this_process
from realservices.host.privileges import leave_root
from realservices.host.scratch import Scratch
from realservices.host.slots import acquire_slot
from realservices.services.migrators import add_migrate_option
from realservices.services.postgres_archive import write_archive
from realservices.services.postgres_cluster import Cluster
from realservices.services.postgres_migrators import migrate_postgres
from realservices.services.psql_words import refusal
from realservices.services.template_lifeline import end_with
from realservices.services.template_options import name_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_WITH_STRATEGY = 150000
# The first whose pg_walinspect says which blocks were written.
_FIRST_WITH_BLOCKS = 160000


def main(arguments: Sequence[str]) -> int:
    """Make the archive and its description; return the exit code."""
    options = _parse(arguments)
    try:
        _build(options)
    except RealServicesError as error:
        print(f"{options.label}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{options.label}: {explain(error, 'the template cannot be built')}", file=sys.stderr)
        return 1
    return 0


def _build(options: argparse.Namespace) -> None:
    outputs = os.path.abspath(options.output), os.path.abspath(options.info)
    for path in outputs:
        with open(path, "wb"):
            pass  # Made by who runs this tool, so that they belong to him.
    try:
        _make(options, *outputs)
    except BaseException:
        for path in outputs:
            os.unlink(path)
        raise


def _make(options: argparse.Namespace, archive: str, info_file: str) -> None:
    # Its path is short enough for the server's socket.
    scratch = Scratch()
    remove_abandoned(os.path.dirname(scratch.path))
    mark_this_process(scratch.name)
    work = scratch.path
    # Migrators come by TCP: JDBC has no unix sockets.
    slot = acquire_slot(1) if options.migrate else None
    try:
        if os.geteuid() == 0 or not _has_name(os.geteuid()):
            _leave_root(work, os.path.abspath(options.distribution))
        end_with(options.lifeline, work)
        cluster = Cluster(options.distribution, work, options.user, dict(options.setting), slot.ports[0] if slot else 0)
        cluster.initialize()
        cluster.start()
        try:
            _fill(cluster, options, work)
            cluster.stop_with_little_wal()
        finally:
            cluster.stop()
        description = write_archive(cluster.data, archive)
    finally:
        if slot:
            slot.release()
        scratch.remove()
    info = {
        **description,
        "server_version_num": cluster.version_num,
        "database": options.database,
        "template_database": TEMPLATE_DATABASE,
        "ready_databases": READY_DATABASES,
    }
    with open(info_file, "w", encoding="utf-8") as file:
        json.dump(info, file)


def _leave_root(work: str, distribution: str) -> None:
    try:
        leave_root(work, f"{distribution}/bin/postgres")
    except OSError as error:
        raise TemplateError(error.strerror or str(error)) from None


def _has_name(uid: int) -> bool:
    """Say whether the machine knows a user by this id; in a container often nobody does, and initdb refuses."""
    try:
        return bool(pwd.getpwuid(uid))
    except KeyError:
        return False


def _fill(cluster: Cluster, options: argparse.Namespace, work: str) -> None:
    # In a database of the name that programs know: migrations may say ALTER DATABASE or current_database().
    source = options.database
    cluster.execute("postgres", f'CREATE DATABASE "{source}"', f"cannot create database {source!r}")
    for extension in options.extension:
        what = f"extension {extension!r} (attribute extensions) cannot be created; the distribution must have it"
        cluster.execute(source, f'CREATE EXTENSION IF NOT EXISTS "{extension}" CASCADE', what)
    _apply(cluster, source, "migration", options.migration)
    migrate_postgres(cluster, options.migrate, source, f"{work}/migrators")
    _apply(cluster, source, "seed", options.seed)
    # Without autovacuum nobody else would gather statistics, and plans would differ from production's.
    cluster.execute(source, "ANALYZE", "cannot analyze")
    _copy(cluster, source)


def _apply(cluster: Cluster, database: str, kind: str, files: list[tuple[str, str]]) -> None:
    for shown, path in files:
        done = cluster.psql(database, "-f", path)
        if done.returncode:
            raise TemplateError(refusal(kind, shown, path, done.stderr))


def _copy(cluster: Cluster, source: str) -> None:
    """Make what tests are given their databases from, and restored from."""
    strategy = " STRATEGY FILE_COPY" if cluster.version_num >= _FIRST_WITH_STRATEGY else ""
    for database in (TEMPLATE_DATABASE, PRISTINE_DATABASE, *READY_DATABASES):
        copy = f'CREATE DATABASE {database} TEMPLATE "{source}"{strategy}'
        cluster.execute("postgres", copy, f"cannot create database {database!r}")
        cluster.execute("postgres", copy_settings(source, database), f"cannot set up database {database!r}")
    if cluster.version_num >= _FIRST_WITH_BLOCKS:
        # Not every distribution has it. Without it databases are made anew instead of restored.
        cluster.psql("postgres", "-c", "CREATE EXTENSION pg_walinspect")
    closed = f"ALTER DATABASE {TEMPLATE_DATABASE} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"
    cluster.execute("postgres", closed, "cannot close the template database")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="postgres_template", description=__doc__)
    parser.add_argument("--label", required=True, help="label of the postgres_service, for messages")
    parser.add_argument("--distribution", required=True, help="directory with bin, lib and share")
    parser.add_argument("--database", default="test", help="database that DATABASE_URL names")
    parser.add_argument("--user", default="test", help="superuser")
    parser.add_argument("--migration", type=name_value, action="append", default=[], metavar="SHOWN=FILE")
    parser.add_argument("--seed", type=name_value, action="append", default=[], metavar="SHOWN=FILE")
    parser.add_argument("--extension", action="append", default=[])
    parser.add_argument("--setting", type=name_value, action="append", default=[], metavar="NAME=VALUE")
    add_migrate_option(parser)
    parser.add_argument("--output", required=True, help="archive to write")
    parser.add_argument("--info", required=True, help="its description to write, JSON")
    parser.add_argument("--lifeline", type=int, default=-1, help="a pipe; its end is this tool's")
    return parser.parse_args(arguments)
