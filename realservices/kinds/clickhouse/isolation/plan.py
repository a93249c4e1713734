"""How a database like the service's own is made: known from the template, or read from the server.

Where the launcher's build action made the service's database, its description tells the statements and which rows to
copy. On an external server the statements are those that the server itself shows of the tables; rows are not
copied, as nobody knows how many there are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realservices.contract.template_info import load_template_info
from realservices.isolation.errors import IsolationError
from realservices.kinds.clickhouse.isolation.database_files import data_directory
from realservices.kinds.clickhouse.isolation.state import DatabaseState, state_of
from realservices.kinds.clickhouse.kind import KIND
from realservices.kinds.clickhouse.sql import quote_name, quote_text, without_database

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from realservices.contract.runtime import Endpoint
    from realservices.kinds.clickhouse.isolation.connection import ClickHouseConnection

# What refers to others comes after them.
_SHOWN = """SELECT name, create_table_query FROM system.tables
WHERE database = {database} AND NOT startsWith(name, '.inner') AND NOT is_temporary
ORDER BY multiIf(engine = 'View', 3, engine = 'MaterializedView', 2, engine = 'Dictionary', 1, 0),
    metadata_modification_time
FORMAT JSON"""


class NoPlanError(IsolationError):
    """No database can be made like the service's own."""


@dataclass(frozen=True, slots=True)
class ClickHousePlan:
    """How to make a database.

    Attributes:
        statements: Run with the new database as the current one, in order.
        copies: Run likewise, after them: what brings rows, by table.
        session: The statements are to be run in one session.
        ready: Databases that are there, by name, with their state.
        data: The server's data directory; "" where this process cannot see it, or others use the server, too.
    """

    statements: Sequence[str]
    copies: Mapping[str, Sequence[str]] = field(default_factory=dict)
    session: bool = False
    ready: Mapping[str, DatabaseState] = field(default_factory=dict)
    data: str = ""


def plan_of(endpoint: Endpoint, connection: ClickHouseConnection) -> ClickHousePlan:
    """Return how a database like the service's own is made. An external server is asked.

    Raises:
        NoPlanError: There is no way, because the schema names its database.
        IsolationError: What the template tells cannot be read.
    """
    if not endpoint.template_info:
        return _shown_plan(endpoint, connection)
    try:
        replay = load_template_info(KIND.template, endpoint.template_info)["replay"]
    except (OSError, ValueError) as error:
        raise IsolationError(
            f"ClickHouse service {endpoint.name!r} ({endpoint.label}): cannot read {endpoint.template_info}: {error}; "
            "the build of its template writes it: build that again"
        ) from None
    if replay["refusal"]:
        raise NoPlanError(
            f"a test cannot have a database like that of ClickHouse service {endpoint.name!r} ({endpoint.label}): "
            f"{replay['refusal']}. Write the schema without the name of the database, which is the current one anyway"
        )
    ready = {name: state_of(rows) for name, rows in replay["ready"].items()}
    data = data_directory(connection) if endpoint.disposable else ""
    return ClickHousePlan(replay["statements"], replay["copies"], replay["session"], ready, data)


def make_database(connection: ClickHouseConnection, plan: ClickHousePlan, name: str) -> None:
    """Make a database.

    Raises:
        IsolationError: The server refused a statement.
    """
    connection.run(f"CREATE DATABASE {quote_name(name)}")
    where = {"database": name}
    if plan.session:
        where = {"session_id": name}
        connection.run(f"USE {quote_name(name)}", **where)
    for statement in plan.statements:
        connection.run(statement, **where)
    for copies in plan.copies.values():
        for copy in copies:
            connection.run(copy, database=name)


def _shown_plan(endpoint: Endpoint, connection: ClickHouseConnection) -> ClickHousePlan:
    database = str(endpoint.database)
    rows = json.loads(connection.run(_SHOWN.format(database=quote_text(database))))["data"]
    return ClickHousePlan([without_database(row["create_table_query"], database) for row in rows])
