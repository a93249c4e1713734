"""Build action: make a MariaDB data directory with schema and rows, once, as a Bazel output.

Each file is applied by MariaDB's own client, as the user of programs, whose the objects are. One that the server
refuses fails the build with file, line and the server's words. Then the database is copied: programs have the one,
tests' databases are made from the other.
"""

from __future__ import annotations

import argparse
import json
import os

from realservices.contract.errors import TemplateError
from realservices.host.abandoned import remove_abandoned
from realservices.host.namespaces import are_namespaces_possible, enter_mount_namespace
from realservices.host.privileges import may_map_itself
from realservices.host.process_tags import tag_this_process
from realservices.host.scratch import Scratch
from realservices.host.slots import acquire_slot
from realservices.kinds.mariadb.blueprint import read_blueprint
from realservices.kinds.mariadb.copies import make_copy
from realservices.kinds.mariadb.names import SYSTEM_DATABASES, TEMPLATE_DATABASE, quote_name, quote_text
from realservices.kinds.mariadb.template.bootstrap import ADMINISTRATOR
from realservices.kinds.mariadb.template.definers import refuse_lost_definers
from realservices.kinds.mariadb.template.engine import Engine
from realservices.kinds.mariadb.template.files import apply_file, client_program
from realservices.kinds.mariadb.template.migrators import migrate_mariadb
from realservices.kinds.mariadb.template.noted import SEE_ALL, fix_events, forget_notes
from realservices.kinds.mariadb.template.origin import forget_origin
from realservices.kinds.mariadb.wire import Connection, MariaDBRefusal
from realservices.schema.layout_marks import refuse_marks
from realservices.schema.script import Script
from realservices.schema.undone import refuse_undone
from realservices.services.base import HOST
from realservices.services.build_memory import BuildMemory
from realservices.services.data_archive import write_data_archive
from realservices.services.migrator_runs import add_migrate_option
from realservices.services.template_lifeline import end_with
from realservices.services.template_options import name_value, run_build, template_parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_DATABASES = "SELECT schema_name FROM information_schema.schemata ORDER BY schema_name"
_FORGETFUL_TABLES = (
    "SELECT table_name FROM information_schema.tables WHERE engine = 'MEMORY' AND table_schema = {} ORDER BY table_name"
)
_UNDONE = "Have migrations name only files that hold what is to be applied"


def main(arguments: Sequence[str]) -> int:
    """Make the archive and its description; return the exit code."""
    return run_build(_parse(arguments), _build_or_explain)


def _build_or_explain(options: argparse.Namespace) -> None:
    try:
        _build(options)
    except MariaDBRefusal as error:
        raise TemplateError(f"MariaDB refuses to build the template: {error}") from None


def _build(options: argparse.Namespace) -> None:
    scratch = Scratch()
    remove_abandoned(os.path.dirname(scratch.path))
    tag_this_process(scratch.name)
    memory = _memory(scratch.path, options)
    end_with(options.lifeline, scratch.path, (scratch.path,))
    try:
        try:
            info = _make(options, scratch.path)
        except (MariaDBRefusal, OSError, TemplateError) as error:
            if not memory or not memory.was_too_small(error):
                raise
            memory.leave()
            info = _make(options, scratch.path)
    finally:
        if memory:
            memory.leave()
        scratch.remove()
    with open(options.info, "w", encoding="utf-8") as file:
        json.dump(info, file)


def _memory(directory: str, options: argparse.Namespace) -> BuildMemory | None:
    """Have a directory in memory, where the kernel grants that: on a disk, the system's tables take 2 s."""
    if not are_namespaces_possible() or not may_map_itself():
        return None
    try:
        enter_mount_namespace(is_unprivileged=False)
    except OSError:
        return None
    return BuildMemory(directory, sum(os.path.getsize(path) for _, path in [*options.migration, *options.seed]))


def _make(options: argparse.Namespace, work: str) -> dict[str, str]:
    """Make the archive; return its description."""
    slot = acquire_slot(1) if options.migrate else None
    port = slot.ports[0] if slot else 0
    engine = Engine(os.path.abspath(options.server), dict(options.setting), work, port)
    try:
        with engine.start() as connection, Connection(engine.socket, ADMINISTRATOR) as observer:
            observer.run(SEE_ALL)
            _fill(connection, engine, options, work, port)
            version = connection.server_version
        engine.stop()
    finally:
        engine.kill()
        if slot:
            slot.release()
    forget_origin(engine.data)
    write_data_archive(engine.data, options.output)
    return {"server_version": version, "template_database": TEMPLATE_DATABASE}


def _fill(connection: Connection, engine: Engine, options: argparse.Namespace, work: str, port: int) -> None:
    # A test's server has another one.
    password = os.urandom(12).hex()
    _make_account(connection, options.user, password, options.database)

    def apply(key: str, named: list[tuple[str, str]]) -> None:
        scripts = [Script(key, shown, path) for shown, path in named]
        refuse_marks(scripts, key=f"{key}s", has_layouts=False)
        for script in scripts:
            apply_file(
                script,
                client=client_program(os.path.abspath(options.server)),
                socket=engine.socket,
                account=(options.user, password),
                database=options.database,
                work=work,
                connection=connection,
            )

    apply("migration", options.migration)
    if options.migrate:
        migrate_mariadb(connection, options.migrate, _endpoint(options, password, port), f"{work}/migrators")
    apply("seed", options.seed)
    _refuse_elsewhere(connection, options.database)
    tables = connection.run(f"SHOW TABLES FROM {quote_name(options.database)}")
    if not (tables or options.migrate):
        refuse_undone([Script("migration", *named) for named in options.migration], _UNDONE)
    _refuse_forgetful_tables(connection, options.database)
    refuse_lost_definers(connection, options.database, options.user)
    fix_events(connection)
    make_copy(connection, read_blueprint(connection, options.database), TEMPLATE_DATABASE)
    if options.contents:
        _write_contents(connection, options.database, options.contents)
    if options.user != ADMINISTRATOR:
        connection.run(f"DROP USER {ADMINISTRATOR}@localhost")
    forget_notes(connection, options.user, (options.database, TEMPLATE_DATABASE))


def _endpoint(options: argparse.Namespace, password: str, port: int) -> dict[str, Any]:
    """Return how migrators reach the server."""
    return {
        "kind": "mariadb",
        "host": HOST,
        "port": port,
        "ports": {"mariadb": port},
        "user": options.user,
        "password": password,
        "database": options.database,
        "url": f"mysql://{options.user}:{password}@{HOST}:{port}/{options.database}",
    }


def _make_account(connection: Connection, user: str, password: str, database: str) -> None:
    """Make the user, who may do everything, and the database."""
    account = f"{quote_text(user)}@'%'"
    connection.run(
        f"CREATE DATABASE {quote_name(database)}; CREATE USER {account} IDENTIFIED BY '{password}'; "
        f"GRANT ALL PRIVILEGES ON *.* TO {account} WITH GRANT OPTION"
    )


def _refuse_elsewhere(connection: Connection, database: str) -> None:
    known = {database, *SYSTEM_DATABASES}
    others = [str(name) for (name,) in connection.run(_DATABASES) if name not in known]
    if others:
        raise TemplateError(
            f"the files have made the databases {', '.join(others)} beside {database!r}, and only that one is isolated "
            "for each test: put all tables into it (no CREATE DATABASE, no USE), or declare one service for each "
            "database"
        )


def _refuse_forgetful_tables(connection: Connection, database: str) -> None:
    """Fail where rows would be gone: the servers of tests start from the files that this one leaves."""
    for (name,) in connection.run(_FORGETFUL_TABLES.format(quote_text(database))):
        table = f"{quote_name(database)}.{quote_name(str(name))}"
        if connection.run(f"SELECT 1 FROM {table} LIMIT 1"):
            raise TemplateError(
                f"rows were put into {name}, whose engine MEMORY forgets them when the server ends: use InnoDB"
            )


def _write_contents(connection: Connection, database: str, output: str) -> None:
    connection.run(f"USE {quote_name(database)}")
    tables = [str(row[0]) for row in connection.run("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")]
    with open(output, "w", encoding="utf-8") as file:
        for table in sorted(tables):
            for row in sorted(map(repr, connection.run(f"SELECT * FROM {quote_name(table)}"))):
                file.write(f"{table}\t{row}\n")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = template_parser("mariadb", __doc__)
    parser.add_argument("--server", required=True, help="mariadbd, with its client and its share beside it")
    parser.add_argument("--migration", type=name_value, action="append", default=[], metavar="SHOWN=FILE")
    add_migrate_option(parser)
    return parser.parse_args(arguments)
