"""Build action: make a migrated and seeded PostgreSQL data directory, once, as a Bazel output.

initdb, or another template to begin from; extensions, migrations in order, seeds; then a copy for programs that use
DATABASE_URL, and one archive of it all. A statement that the server refuses fails the build with file, line, statement
and the server's words.

psql applies the files, because it is what everybody's migrations were written against: several statements outside of
a transaction, COPY FROM stdin as pg_dump writes it, and error positions.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd

from realservices.contract.errors import TemplateError
from realservices.host.abandoned import remove_abandoned
from realservices.host.namespaces import are_namespaces_possible, enter_mount_namespace
from realservices.host.privileges import leave_root, may_map_itself
from realservices.host.process_tags import tag_this_process
from realservices.host.scratch import Scratch
from realservices.host.slots import acquire_slot
from realservices.kinds.postgres.databases import (
    READY_DATABASES,
    TEMPLATE_DATABASE,
)
from realservices.kinds.postgres.template.base import Base, write_whole
from realservices.kinds.postgres.template.cluster import Cluster, data_directory
from realservices.kinds.postgres.template.contents import write_contents
from realservices.kinds.postgres.template.copies import create_copies, finish_copies, linked_directories
from realservices.kinds.postgres.template.elsewhere import count_tables, refuse_tables_elsewhere
from realservices.kinds.postgres.template.locale import PROVIDERS, Locale
from realservices.kinds.postgres.template.migrators import migrate_postgres
from realservices.kinds.postgres.template.overridden import refuse_overridden
from realservices.kinds.postgres.template.pg_control import forget_origin
from realservices.kinds.postgres.template.renamed import rename
from realservices.kinds.postgres.template.statistics import analyze, next_transaction
from realservices.kinds.postgres.template.told_traits import tell_traits
from realservices.schema.arrange import arrange_after
from realservices.schema.layouts import LAYOUTS
from realservices.schema.missing_extension import remedy_for_extension
from realservices.schema.undone import refuse_undone
from realservices.services.build_memory import BuildMemory
from realservices.services.migrator_runs import add_migrate_option
from realservices.services.template_lifeline import end_with
from realservices.services.template_options import name_value, run_build, template_parser
from realservices.services.template_progress import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from realservices.schema.script import Script
_UNDONE = (
    "Have migrations name only what is to be applied, or write the layout of its tool (docs/schema.md); "
    'layout = "plain" says that it is meant'
)


def main(arguments: Sequence[str]) -> int:
    """Make the archive and its description; return the exit code."""
    return run_build(_parse(arguments), _build, remedy_for_extension)


def _build(options: argparse.Namespace) -> None:
    outputs = [os.path.abspath(path) for path in (options.output, options.info, options.contents) if path]
    for path in outputs:
        with open(path, "wb"):
            pass  # Made by who runs this tool, so that they belong to him.
    try:
        _make(options, *outputs[:2])
    except BaseException:
        for path in outputs:
            os.unlink(path)
        raise


def _make(options: argparse.Namespace, archive: str, info_file: str) -> None:
    scripts = arrange_after(options.layout, options.applied, options.migration, options.seed)
    base = Base(options.base, options.base_info, options.base_whole) if options.base else None
    # Its path is short enough for the server's socket.
    scratch = Scratch()
    remove_abandoned(os.path.dirname(scratch.path))
    tag_this_process(scratch.name)
    # Migrators come by TCP: JDBC has no unix sockets.
    slot = acquire_slot(1) if options.migrate else None
    memory = None
    try:
        memory = _become_a_user(scratch.path, os.path.abspath(options.distribution), base, scripts)
        end_with(options.lifeline, scratch.path, (data_directory(scratch.path), scratch.path))
        port = slot.ports[0] if slot else 0
        cluster = Cluster(options.distribution, scratch.path, options.user, dict(options.setting), port)
        description = _make_where_it_fits(memory, lambda: _make_archive(cluster, options, scripts, base, archive))
    finally:
        if slot:
            slot.release()
        if base:
            base.release()
        if memory:
            memory.leave()
        scratch.remove()
    info = {
        **description,
        "server_version_num": cluster.version_num,
        "database": options.database,
        "user": options.user,
        "template_database": TEMPLATE_DATABASE,
        "ready_databases": READY_DATABASES,
    }
    with open(info_file, "w", encoding="utf-8") as file:
        json.dump(info, file)


def _make_where_it_fits(memory: BuildMemory | None, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Make something in memory; on the disk if that is too small."""
    try:
        return make()
    except (TemplateError, OSError) as error:
        if not memory or not memory.was_too_small(error):
            raise
        memory.leave()
    return make()


def _make_archive(
    cluster: Cluster, options: argparse.Namespace, scripts: list[Script], base: Base | None, archive: str
) -> dict[str, Any]:
    """Make the data directory and its archive; return what describes them."""
    try:
        links = _fill_and_stop(cluster, options, scripts, base)
        if base and options.form != "whole":
            return base.write(cluster.data, archive, links, is_part=options.form == "part")
        return write_whole(cluster.data, archive, links)
    finally:
        if base:
            base.remove_view()


def _become_a_user(work: str, distribution: str, base: Base | None, scripts: list[Script]) -> BuildMemory | None:
    """Enter what the kernel grants of namespaces, as a user whom the server and initdb accept.

    Returns:
        The memory that the scratch directory may be in, there; None where nothing can be made in such.
    """
    is_refused = os.geteuid() == 0 or not _has_name(os.geteuid())
    is_mapped = may_map_itself()
    if are_namespaces_possible():
        if base:
            base.lease()  # Before: there, this user may look like another one, who has a cache of his own.
        try:
            enter_mount_namespace(is_unprivileged=is_refused)
        except OSError:
            if base:
                base.release()
        else:
            size = sum(os.path.getsize(script.path) for script in scripts)
            return BuildMemory(work, size) if is_mapped else None
    if is_refused:
        _leave_root(work, distribution)
    return None


def _fill_and_stop(
    cluster: Cluster, options: argparse.Namespace, scripts: list[Script], base: Base | None
) -> dict[str, str]:
    """Make the data directory; return which directories in it have the files of which others."""
    work = os.path.dirname(cluster.data)
    if base:
        base.check_server(cluster.version_num, options.distribution)
        base.lay(cluster.data, f"{work}/changes")
    else:
        cluster.initialize(Locale(options.locale, options.locale_provider))
    cluster.start()
    try:
        if base:
            rename(cluster, (base.user, options.user), (base.database, options.database))
        copies = _fill(cluster, options, scripts, work)
    finally:
        cluster.stop()
    forget_origin(cluster.data)
    return linked_directories(cluster.data, copies)


def _leave_root(work: str, distribution: str) -> None:
    try:
        leave_root(work, f"{distribution}/bin/postgres")
    except OSError as error:
        raise TemplateError(error.strerror or str(error)) from None


def _has_name(uid: int) -> bool:
    """Return whether the machine knows a user by this id; in a container often nobody does, and initdb refuses."""
    try:
        return bool(pwd.getpwuid(uid))
    except KeyError:
        return False


def _fill(cluster: Cluster, options: argparse.Namespace, scripts: list[Script], work: str) -> dict[int, int]:
    # In a database of the name that programs know: migrations may say ALTER DATABASE or current_database().
    source = options.database
    since = 0
    if options.base:
        # The machine's locales that the one that made the base lacked, or lacked then.
        since = next_transaction(cluster, source, "SELECT pg_import_system_collations('pg_catalog')")
    else:
        cluster.execute("postgres", f'CREATE DATABASE "{source}"', what=f"cannot create database {source!r}")
        create_copies(cluster, source)
    for extension in options.extension:
        what = f"extension {extension!r} (attribute extensions) cannot be created; the distribution must have it"
        cluster.execute(source, f'CREATE EXTENSION IF NOT EXISTS "{extension}" CASCADE', what=what)
    progress = Progress(is_wanted=options.progress)
    begin = progress.files(scripts)
    elsewhere = cluster.apply(source, [script for script in scripts if script.kind == "migration"], begin)
    if options.migrate:
        progress.begin("migrate")
        migrate_postgres(cluster, options.migrate, source, f"{work}/migrators")
    elsewhere |= cluster.apply(source, [script for script in scripts if script.kind == "seed"], begin)
    if scripts:
        refuse_tables_elsewhere(cluster, source, elsewhere)
    refuse_overridden(cluster, dict(options.setting))
    is_told = options.layout or options.migrate
    if scripts and not is_told and not count_tables(cluster, source):
        refuse_undone(scripts, _UNDONE)
    progress.begin("statistics, and the archive")
    analyze(cluster, source, work, since)
    if options.contents:
        write_contents(cluster, source, options.contents, work)
    copies = finish_copies(cluster, source)
    tell_traits(cluster, source)
    return copies


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = template_parser("postgres", __doc__)
    parser.add_argument("--distribution", required=True, help="directory with bin, lib and share")
    parser.add_argument("--base", default="", help="archive of a template to begin from")
    parser.add_argument("--base-info", default="", help="its description")
    parser.add_argument("--base-whole", default="", help="archive of the template that it begins from itself, if so")
    parser.add_argument("--form", default="", choices=("", "part", "whole"), help="all, or what differs from the base")
    parser.add_argument("--applied", type=name_value, action="append", default=[], metavar="SHOWN=FILE")
    parser.add_argument("--migration", type=name_value, action="append", default=[], metavar="SHOWN=FILE")
    parser.add_argument("--layout", default="", choices=("", *LAYOUTS), help="whose files the migrations are")
    parser.add_argument("--extension", action="append", default=[])
    parser.add_argument("--locale", default="", help="as of initdb; by default code points and Unicode's letters")
    parser.add_argument("--locale-provider", default="", choices=("", *PROVIDERS))
    add_migrate_option(parser)
    parser.add_argument("--progress", action="store_true", help="print what is done")
    return parser.parse_args(arguments)
