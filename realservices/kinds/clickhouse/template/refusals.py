"""ClickHouse's words about a statement that it refused, with the file, the line and what to do."""

from __future__ import annotations

import re

from realservices.schema.psql_words import indented

TYPE_CHECKING = False
if TYPE_CHECKING:
    from realservices.kinds.clickhouse.sql import Statement

# The server's own position: within the statement.
_POSITION = re.compile(r"\(line (\d+), col \d+\)")
_REMEDIES = (
    (
        r"NO_ZOOKEEPER|CLUSTER_DOESNT_EXIST|No macro '|UNKNOWN_STATUS_OF_DISTRIBUTED",
        "the tests' server is alone, without Keeper and clusters: have files for tests say MergeTree for "
        "ReplicatedMergeTree, and no ON CLUSTER; or name a server of your own in "
        "TEST_CLICKHOUSE_HOST (docs/external.md)",
    ),
    (
        "ACCESS_STORAGE_FOR_INSERTION_NOT_FOUND",
        "the tests' server keeps no accounts: tests and programs connect as the service's user, who may do everything",
    ),
    (
        r"Unknown data type family: (?i:\w*serial|jsonb|timestamptz|bytea|varbinary|datetime2|nvarchar)\b",
        "that looks like the dialect of another database: have schema name the files for ClickHouse",
    ),
)


def refusal(kind: str, shown: str, statement: Statement, words: str) -> str:
    """Return a message with the line where the fault is.

    Args:
        kind: What the file is: ``schema`` or ``seed``.
        shown: Its path in the workspace.
        statement: What was refused.
        words: The server's.
    """
    first, last = statement.line, statement.last_line
    position = _POSITION.search(words)
    if position:
        first = last = first + int(position.group(1)) - 1
    lines = f"line {first}" if first == last else f"lines {first}-{last}"
    remedy = next((f"\n  {remedy}" for pattern, remedy in _REMEDIES if re.search(pattern, words)), "")
    return (
        f"ClickHouse refused {kind} {shown}, {lines}:\n{indented(words)}\n"
        f"  in the statement:\n{indented(statement.text)}{remedy}"
    )
