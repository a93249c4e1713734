"""Build action: make a ClickHouse data directory with schema and rows, once, as a Bazel output.

The statements of the files are sent one by one, over HTTP, as a program would. One that the server refuses fails the
build with file, line, statement and the server's words.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import time

from realservices.contract.errors import TemplateError
from realservices.host.abandoned import remove_abandoned
from realservices.host.process import describe_exit, spawn
from realservices.host.process_tags import tag_this_process
from realservices.host.scratch import Scratch
from realservices.host.slots import acquire_slot
from realservices.kinds.clickhouse.engine import INSTALL
from realservices.kinds.clickhouse.server.config import HOST, lost_settings, write_configuration
from realservices.kinds.clickhouse.server.http import ClickHouseRefusal, query
from realservices.kinds.clickhouse.sql import quote_name
from realservices.kinds.clickhouse.template.files import read_statements
from realservices.kinds.clickhouse.template.identifiers import Identifiers
from realservices.kinds.clickhouse.template.migrators import migrate_clickhouse, statements_of
from realservices.kinds.clickhouse.template.parts import (
    STEADY,
    WITHOUT_MERGES,
    merge_full_tables,
    merging,
    obsolete_parts,
    remove_parts,
    write_contents,
)
from realservices.kinds.clickhouse.template.refusals import refusal
from realservices.kinds.clickhouse.template.replay import plan_replay
from realservices.schema.layout_marks import refuse_marks
from realservices.schema.psql_words import indented
from realservices.schema.script import Script
from realservices.schema.undone import refuse_undone
from realservices.services.data_archive import write_data_archive
from realservices.services.migrator_runs import add_migrate_option
from realservices.services.template_lifeline import end_with
from realservices.services.template_options import name_value, run_build, template_parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from realservices.kinds.clickhouse.sql import Statement

_READY_TIMEOUT_S = 60.0
_PAUSE_S = 0.005
# A statement may fill a table from a computation; Bazel has no time-out for build actions.
_STATEMENT_TIMEOUT_S = 3600.0
_LOCAL_DICTIONARIES = (
    "SELECT count() FROM system.tables WHERE engine = 'Dictionary' "
    "AND create_table_query ILIKE '%SOURCE(CLICKHOUSE(%' AND create_table_query NOT ILIKE '% USER %'"
)
_FORGETFUL_TABLES = (
    "SELECT concat(database, '.', name) FROM system.tables WHERE engine = 'Memory' AND total_rows > 0 "
    "AND database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') ORDER BY 1 FORMAT TSVRaw"
)
# What a server makes anew, and would find of another one.
_TRANSIENT = ("status", "tmp", "preprocessed_configs")
_UNDONE = "Have schema name only files that hold what is to be applied"
_TABLES = "SELECT count() FROM system.tables WHERE lower(database) NOT IN ('system', 'information_schema')"


def main(arguments: Sequence[str]) -> int:
    """Make the archive and its description; return the exit code."""
    return run_build(_parse(arguments), _build)


def _build(options: argparse.Namespace) -> None:
    lost = lost_settings(options.server, dict(options.server_setting))
    if lost:
        raise TemplateError(lost)
    scratch = Scratch()
    remove_abandoned(os.path.dirname(scratch.path))
    tag_this_process(scratch.name)
    work = scratch.path
    end_with(options.lifeline, work)
    slot = acquire_slot(2)
    try:
        engine = _Engine(options, work, list(slot.ports))
        engine.start()
        try:
            info = _fill(engine, options, work)
            obsolete = obsolete_parts(engine.run)
        finally:
            engine.kill()
        remove_parts(obsolete)
        for name in _TRANSIENT:
            shutil.rmtree(f"{engine.data}/{name}", ignore_errors=True)
            if os.path.exists(f"{engine.data}/{name}"):
                os.unlink(f"{engine.data}/{name}")
        identifiers = Identifiers(engine.data, "".join(info["replay"]["statements"]))
        identifiers.apply()
        write_data_archive(engine.data, options.output)
    finally:
        slot.release()
        scratch.remove()
    info["replay"]["ready"] = {name: identifiers.in_rows(rows) for name, rows in info["replay"]["ready"].items()}
    with open(options.info, "w", encoding="utf-8") as file:
        json.dump(info, file)


class _Engine:
    """The server of one build action."""

    def __init__(self, options: argparse.Namespace, work: str, ports: list[int]) -> None:
        self.data = f"{work}/data"
        os.mkdir(self.data)
        self._log = f"{work}/log"
        self._address = (HOST, ports[0])
        self._account = (options.user, os.urandom(12).hex())
        self._directory = work
        self._server = os.path.abspath(options.server)
        self.endpoint = {
            "kind": "clickhouse",
            "host": HOST,
            "port": ports[0],
            "http_port": ports[0],
            "tcp_port": ports[1],
            "ports": {"http": ports[0], "tcp": ports[1]},
            "user": options.user,
            "password": self._account[1],
            "database": options.database,
            "url": f"http://{options.user}:{self._account[1]}@{HOST}:{ports[0]}/{options.database}",
        }
        self._command = write_configuration(
            work,
            server=self._server,
            data=self.data,
            ports={"http": ports[0], "tcp": ports[1]},
            account=self._account,
            database=options.database,
            settings={**dict(options.setting), **STEADY},
            server_settings=dict(options.server_setting),
            local_dictionaries=True,
            merge_tree=WITHOUT_MERGES,
        )
        self._pid = 0

    def start(self) -> None:
        output = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        environment = {"PATH": "/usr/bin:/bin", "HOME": self._directory, "LC_ALL": "C", "TZ": "UTC"}
        self._pid = spawn(self._command, env=environment, output=output, cwd=self._directory)
        os.close(output)
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not self._serves():
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._pid = 0
                words = f"{self._words()}{self._suspicion()}"
                raise TemplateError(f"ClickHouse does not start; it {describe_exit(status)}. It says:\n{words}")
            if time.monotonic() > deadline:
                raise TemplateError(f"ClickHouse did not serve within {_READY_TIMEOUT_S:.0f} s:\n{self._words()}")
            time.sleep(_PAUSE_S)

    def run(self, sql: str, parameters: dict[str, str]) -> str:
        """Run a query.

        Raises:
            ClickHouseRefusal: It was refused.
            TemplateError: The server is gone.
        """
        try:
            return query(self._address, self._account, sql, timeout_s=_STATEMENT_TIMEOUT_S, parameters=parameters)
        except OSError as error:
            raise TemplateError(f"ClickHouse ended or hangs ({error}) at: {sql[:200]}\n{self._words()}") from None

    def kill(self) -> None:
        """End it. Every statement that it has answered is on disk."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)

    def _serves(self) -> bool:
        try:
            query(self._address, self._account, "SELECT 1", timeout_s=1.0)
        except (OSError, ClickHouseRefusal):
            return False
        return True

    def _suspicion(self) -> str:
        """Return a doubt whether it is a ClickHouse, which tells its errors in one way."""
        if any(sign in self._words() for sign in ("DB::Exception", INSTALL)):
            return ""
        return (
            f"\n  The program is {self._server}. If it is no ClickHouse, name the libchdb.so of `{INSTALL}`, or a "
            "clickhouse program"
        )

    def _words(self) -> str:
        with open(self._log, encoding="utf-8", errors="replace") as log:
            return indented("\n".join(log.read().splitlines()[-20:]) or "(nothing)")


def _fill(engine: _Engine, options: argparse.Namespace, work: str) -> dict[str, Any]:
    try:
        engine.run(f"CREATE DATABASE {quote_name(options.database)}", {})
    except ClickHouseRefusal as error:
        raise TemplateError(
            f"ClickHouse refused to create database {options.database!r}:\n{indented(str(error))}"
        ) from None
    for key, named in (("schema", options.schema), ("seeds", options.seed)):
        refuse_marks([Script(key, shown, path) for shown, path in named], key=key, has_layouts=False)
    statements = _apply_all(engine, options.database, "schema", options.schema)
    if options.migrate:
        migrate_clickhouse(engine.run, options.migrate, engine.endpoint, f"{work}/migrators")
        statements = statements_of(engine.run, options.database)
    statements += _apply_all(engine, options.database, "seed", options.seed)
    if not options.migrate and engine.run(_TABLES, {}).strip() == "0":
        refuse_undone([Script("schema", *named) for named in options.schema], _UNDONE)
    _refuse_forgetful_tables(engine)
    merge_full_tables(engine.run)
    if options.contents:
        write_contents(engine.run, options.database, options.contents)
    return {
        "version": engine.run("SELECT version()", {}).strip(),
        "database": options.database,
        "has_local_dictionaries": engine.run(_LOCAL_DICTIONARIES, {}).strip() != "0",
        "replay": plan_replay(engine.run, options.database, statements),
    }


def _refuse_forgetful_tables(engine: _Engine) -> None:
    """Fail where rows would be gone: the servers of tests start from the files that this one leaves."""
    names = engine.run(_FORGETFUL_TABLES, {}).split("\n")[:-1]
    if names:
        raise TemplateError(
            f"rows were put into {', '.join(names)}, whose engine Memory forgets them when the server ends: "
            "use MergeTree, or TinyLog for a few rows"
        )


def _apply_all(engine: _Engine, database: str, kind: str, files: list[tuple[str, str]]) -> list[Statement]:
    return [statement for shown, path in files for statement in _apply(engine, database, kind, shown, path)]


def _apply(engine: _Engine, database: str, kind: str, shown: str, path: str) -> list[Statement]:
    """Run a file's statements in a session of its own, so that SET and temporary tables last as long as the file."""
    statements = read_statements(kind, shown, path)
    session = {"session_id": f"realservices-{shown}", "session_timeout": "3600"}
    engine.run(f"USE {quote_name(database)}", session)
    for statement in statements:
        try:
            engine.run(merging(statement.text), session)
        except ClickHouseRefusal as error:
            raise TemplateError(refusal(kind, shown, statement, str(error))) from None
    return statements


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = template_parser("clickhouse", __doc__)
    parser.add_argument("--server", required=True, help="libchdb.so or a clickhouse executable")
    parser.add_argument("--schema", type=name_value, action="append", default=[], metavar="SHOWN=FILE")
    parser.add_argument("--server-setting", type=name_value, action="append", default=[], metavar="NAME=VALUE")
    add_migrate_option(parser)
    return parser.parse_args(arguments)
