"""Build action: make a migrated and seeded PostgreSQL data directory, once, as a Bazel output.

initdb, extensions, migrations in order, seeds; then a copy for programs that use DATABASE_URL, and one archive of it
all. A statement that the server refuses fails the build with file, line, statement and the server's words.

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
    READY_DATABASES,
    TEMPLATE_DATABASE,
)
from realservices.contract.resources import explain
from realservices.host.abandoned import remove_abandoned
from realservices.host.marks import mark_this_process
from realservices.host.privileges import leave_root
from realservices.host.scratch import Scratch
from realservices.host.slots import acquire_slot
from realservices.schema.arrange import arrange_after
from realservices.schema.layouts import LAYOUTS
from realservices.services.migrators import add_migrate_option
from realservices.services.postgres_archive import write_archive
from realservices.services.postgres_base import unpack_base
from realservices.services.postgres_cluster import Cluster
from realservices.services.postgres_copies import create_copies, finish_copies, linked_directories
from realservices.services.postgres_extensions import remedy_for_extension
from realservices.services.postgres_locale import PROVIDERS, Locale
from realservices.services.postgres_migrators import migrate_postgres
from realservices.services.template_lifeline import end_with
from realservices.services.template_options import name_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.schema.script import Script


def main(arguments: Sequence[str]) -> int:
    """Make the archive and its description; return the exit code."""
    options = _parse(arguments)
    try:
        _build(options)
    except RealServicesError as error:
        print(f"{options.label}: {error}{remedy_for_extension(str(error))}", file=sys.stderr)
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
    scripts = arrange_after(options.layout, options.applied, options.migration, options.seed)
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
        if options.base:
            unpack_base(options.base, options.base_info, cluster.data)
        else:
            cluster.initialize(Locale(options.locale, options.locale_provider))
        cluster.start()
        try:
            copies = _fill(cluster, options, scripts, f"{work}/migrators")
            cluster.stop_with_little_wal()
        finally:
            cluster.stop()
        links = linked_directories(cluster.data, copies)
        description = write_archive(cluster.data, archive, links)
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
        "links": links,
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


def _fill(cluster: Cluster, options: argparse.Namespace, scripts: list[Script], home: str) -> dict[int, int]:
    # In a database of the name that programs know: migrations may say ALTER DATABASE or current_database().
    source = options.database
    if not options.base:
        cluster.execute("postgres", f'CREATE DATABASE "{source}"', f"cannot create database {source!r}")
        create_copies(cluster, source)
    for extension in options.extension:
        what = f"extension {extension!r} (attribute extensions) cannot be created; the distribution must have it"
        cluster.execute(source, f'CREATE EXTENSION IF NOT EXISTS "{extension}" CASCADE', what)
    cluster.apply(source, [script for script in scripts if script.kind == "migration"])
    migrate_postgres(cluster, options.migrate, source, home)
    cluster.apply(source, [script for script in scripts if script.kind == "seed"])
    # Without autovacuum nobody else would gather statistics, and plans would differ from production's.
    cluster.execute(source, "ANALYZE", "cannot analyze")
    return finish_copies(cluster, source)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="postgres_template", description=__doc__)
    parser.add_argument("--label", required=True, help="label of the postgres_service, for messages")
    parser.add_argument("--distribution", required=True, help="directory with bin, lib and share")
    parser.add_argument("--database", default="test", help="database that DATABASE_URL names")
    parser.add_argument("--user", default="test", help="superuser")
    parser.add_argument("--base", default="", help="archive of a template to begin from")
    parser.add_argument("--base-info", default="", help="its description")
    parser.add_argument("--applied", type=name_value, action="append", default=[], metavar="SHOWN=FILE")
    parser.add_argument("--migration", type=name_value, action="append", default=[], metavar="SHOWN=FILE")
    parser.add_argument("--layout", default="", choices=("", *LAYOUTS), help="whose files the migrations are")
    parser.add_argument("--seed", type=name_value, action="append", default=[], metavar="SHOWN=FILE")
    parser.add_argument("--extension", action="append", default=[])
    parser.add_argument("--setting", type=name_value, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--locale", default="", help="as of initdb; by default code points and Unicode's letters")
    parser.add_argument("--locale-provider", default="", choices=("", *PROVIDERS))
    add_migrate_option(parser)
    parser.add_argument("--output", required=True, help="archive to write")
    parser.add_argument("--info", required=True, help="its description to write, JSON")
    parser.add_argument("--lifeline", type=int, default=-1, help="a pipe; its end is this tool's")
    return parser.parse_args(arguments)
