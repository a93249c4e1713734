"""ClickHouse's SQL as far as tools need it: where a statement ends, and which names stand in it.

The build action splits schema files with it, and the test side makes statements independent of their database. Source:
https://clickhouse.com/docs/sql-reference/syntax. It only looks for the ends of things: what is wrong in a statement is
for the server to say.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]* | \#[ !][^\n]* | /\*.*?(?:\*/|\Z))
    | (?P<string>'(?:\\.|''|[^'\\])*(?:'|\Z) | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<quoted>"(?:\\.|""|[^"\\])*(?:"|\Z) | `(?:\\.|``|[^`\\])*(?:`|\Z))
    | (?P<word>\w[\w$]*)
    | (?P<blank>\s+)
    | (?P<end>;)
    | .""",
    re.DOTALL | re.VERBOSE,
)
# What tells whether a database is as it was: each table's definition, its parts, and for tables without parts their
# number of rows, or the size where the engine knows no more (Buffer, Merge and their like count rows of others). And
# whether it is in use: queries that run, dictionaries that were loaded. One query, because each costs a millisecond in
# itself, and no join, which would take as long as all of it.
_STATE = """SELECT 'table' AS kind, name, engine, toString(uuid) AS uuid, create_table_query AS sql,
    if(has_own_data OR engine = 'Memory', coalesce(total_rows, total_bytes), 0) AS rows
FROM system.tables WHERE database = {database} AND NOT is_temporary
UNION ALL SELECT 'part', table, '', '', name, 0 FROM system.parts WHERE database = {database} AND active"""
_USES = {
    "query": """
UNION ALL SELECT 'query', query_id, '', '', '', 0 FROM system.processes WHERE current_database = {database}""",
    "mutation": """
UNION ALL SELECT 'mutation', table, '', '', mutation_id, is_done FROM system.mutations WHERE database = {database}""",
    "detached": """
UNION ALL SELECT 'detached', table, '', '', '', 0 FROM system.detached_parts WHERE database = {database}""",
    "dictionary": """
UNION ALL SELECT 'dictionary', name, '', '', '', 0 FROM system.dictionaries
    WHERE database = {database} AND status != 'NOT_LOADED'""",
}
# What the files of databases do not tell: what is detached until the server starts again, which parts are active, the
# rows of engines that have none, and what runs in them.
_UNFILED = """SELECT database, 'table' AS kind, name, storage_policy, active_parts,
    coalesce(total_rows, total_bytes) AS rows FROM system.tables WHERE database IN ({databases})
UNION ALL SELECT current_database, 'query', query_id, '', 0, 0 FROM system.processes
    WHERE current_database IN ({databases})"""
_STATE_FORMAT = "\nFORMAT JSON SETTINGS output_format_json_quote_64bit_integers = 0"
# The server takes a fifth less of its time to plan so small a query.
_QUICKLY = ", enable_analyzer = 0, max_threads = 1"
# A statement's data, in any format but VALUES, has its own rules for quotes and semicolons: it goes to an empty line.
_DATA_END = re.compile(r"\n[ \t\r]*\n|\Z")
_FORMAT = re.compile(r"\s+(\w+)", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Statement:
    """One statement of a file.

    Attributes:
        text: Without the semicolon, and without what comments stand before it.
        line: Where it begins, from 1.
        words: Its first words in upper case, at most five.
        file: What the file is called in messages; empty: it is of none.
    """

    __slots__ = ("file", "line", "text", "words")

    def __init__(self, text: str, line: int, words: list[str]) -> None:
        self.text = text
        self.line = line
        self.words = words
        self.file = ""

    @property
    def last_line(self) -> int:
        """Where it ends."""
        return self.line + self.text.count("\n")


def split_statements(text: str) -> list[Statement]:
    """Split a file into its statements; comments between them are left out."""
    statements = []
    position = 0
    while position < len(text):
        start, end, words, position = _next_end(text, position)
        if start < end:
            statements.append(Statement(text[start:end].rstrip(), text.count("\n", 0, start) + 1, words[:5]))
    return statements


def _next_end(text: str, position: int) -> tuple[int, int, list[str], int]:
    """Return where a statement begins and ends, its words, and where the next one may begin."""
    start, end = -1, position
    words: list[str] = []
    for token in _TOKEN.finditer(text, position):
        kind = token.lastgroup
        if kind == "end":
            return (start if start >= 0 else end, end, words, token.end())
        if kind in ("comment", "blank"):
            continue
        start = token.start() if start < 0 else start
        end = token.end()
        if kind == "word":
            words.append(token[0].upper())
            data = _data_start(text, token.end(), words)
            if data:
                end_of_data = _DATA_END.search(text, data)
                assert end_of_data
                return start, end_of_data.start(), words, end_of_data.end()
    return (start if start >= 0 else end, end, words, len(text))


def _data_start(text: str, position: int, words: list[str]) -> int:
    """Return where inline data begins if ``FORMAT`` of an INSERT has just been read and data follows, else 0."""
    if words[0] != "INSERT" or words[-1] != "FORMAT" or not {"SELECT", "VALUES", "WITH", "INFILE"}.isdisjoint(words):
        return 0
    name = _FORMAT.match(text, position)
    return 0 if name is None or name[1].upper() == "VALUES" else name.end()


def without_database(sql: str, database: str) -> str:
    """Return a statement with the qualifier ``database.`` taken from its names; text and comments stay as they are."""
    parts: list[str] = []
    names = _names(sql)
    for name, text, following in names:
        if name == database and following == ".":
            next(names)
        else:
            parts.append(text)
    return "".join(parts)


def _names(sql: str) -> Iterator[tuple[str, str, str]]:
    """Give every token as the name that it is (else ""), its text, and the character that follows it."""
    for token in _TOKEN.finditer(sql):
        following = sql[token.end() : token.end() + 1]
        # `t.database.x` is a column's path, not a qualifier.
        is_first = sql[token.start() - 1 : token.start()] != "."
        name = ""
        if is_first and token.lastgroup == "word":
            name = token[0]
        elif is_first and token.lastgroup == "quoted":
            quote = token[0][0]
            name = _ESCAPE.sub(r"\1", token[0][1:-1]).replace(quote * 2, quote)
        yield name, token[0], following


def quote_name(name: str) -> str:
    """Quote a name for SQL text."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def quote_text(text: str) -> str:
    """Quote a text for SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def state_query(database: str, uses: Sequence[str] = tuple(_USES)) -> str:
    """Return the query for the state of a database, whose rows tell of one table, part, query and the like each.

    Args:
        database: Its name.
        uses: What to look for beside tables and parts: ``query``, one that runs, ``mutation``, one that has been
            done or will be, ``detached``, a part that can be attached again, ``dictionary``, one that has read its
            source. The server takes 0.8 ms for each.
    """
    query = _STATE + "".join(_USES[use] for use in uses)
    return query.format(database=quote_text(database)) + _STATE_FORMAT


def unfiled_query(databases: Sequence[str]) -> str:
    """Return the query for what is not in the files of databases: a row for each table and each query that runs."""
    return _UNFILED.format(databases=", ".join(map(quote_text, databases))) + _STATE_FORMAT + _QUICKLY
