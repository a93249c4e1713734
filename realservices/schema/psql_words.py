"""psql's words about a statement that the server refused, turned into a message that leads to the fault."""

from __future__ import annotations

import re

# psql's own words: "psql:FILE:LINE: ERROR:  …", then "LINE 3: …" with the position inside of the statement.
# Notices of earlier statements look alike but for the severity.
_PSQL_ERROR = re.compile(
    r"^psql:(?P<file>[^\n]+?):(?P<line>\d+): (?P<message>(?:(?:ERROR|FATAL|PANIC|error): |could not ).*)",
    re.DOTALL | re.MULTILINE,
)
_LINE_IN_STATEMENT = re.compile(r"^LINE (\d+): ", re.MULTILINE)
_STATEMENT = re.compile(r"^psql:[^\n]+?:\d+: STATEMENT:\s+(.*)", re.DOTALL | re.MULTILINE)
_MISSING_FILE = re.compile(
    r"^(?:error: (?!.*connection to server)|could not open file ).*: No such file or directory$", re.MULTILINE
)
_MISSING_ROLE = re.compile(r'^ERROR:  role "([^"\n]+)" does not exist')
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_NOT_SQL = re.compile(r"^ERROR:  syntax error at or near|^ERROR:  unterminated")
# The beginning of the server's or psql's message, and what to do about it.
_REMEDIES = (
    (
        r"ERROR:  (?:.* cannot (?:run|be executed) (?:inside|within) a transaction block|unsafe use of new value )",
        "the file is run in a transaction, as its tool runs it: write the tool's own mark that says otherwise "
        "(docs/schema.md, Layouts), or put the statement into a file of its own",
    ),
    (
        r"ERROR:  invalid byte sequence for encoding",
        "the file is not UTF-8: convert it (for instance iconv -f LATIN1 -t UTF-8), or begin it with \\encoding LATIN1",
    ),
    (
        r'ERROR:  schema "[^"\n]+" does not exist',
        "let an earlier migration say CREATE SCHEMA (servers of Supabase and other platforms come with schemas, roles "
        "and functions of their own, which a plain PostgreSQL has not)",
    ),
    (
        r"ERROR:  replication slots can only be used if|ERROR:  logical decoding requires",
        'write settings = { wal_level = "logical" } on the service (in a BUILD file '
        'settings = {"wal_level": "logical"})',
    ),
    (
        r'ERROR:  schema "public" already exists',
        "every database has it: take the statement out, or write CREATE SCHEMA IF NOT EXISTS public",
    ),
    (
        r'ERROR:  database "[^"\n]+" already exists',
        "the schema is built in that database: take CREATE DATABASE and \\connect out, or dump without --create",
    ),
    (
        r"ERROR:  unrecognized configuration parameter",
        "a newer pg_dump than this PostgreSQL may have written it: take the line out, or choose the PostgreSQL of "
        "production (docs/postgres.md)",
    ),
    (
        r"ERROR:  (?:collation .* does not exist|invalid (?:LC_\w+ )?locale name)",
        "docs/postgres.md (Locale) says which collations there are; as pg_dump --create writes it, CREATE DATABASE is "
        "left out by pg_dump without --create",
    ),
    (
        r'ERROR:  syntax error at or near ":',
        "psql has no value for a variable: write \\set and its name before it, or the value in its place",
    ),
    (
        r"ERROR:  ICU is not supported in this build",
        "take a PostgreSQL that is built with ICU: under Bazel distribution = "
        '"@rules_realservices//third_party/postgres:18", in plain pytest REALSERVICES_POSTGRES=/usr/lib/postgresql/17, '
        "for instance (docs/postgres.md)",
    ),
    (
        r'ERROR:  relation "(?:\w+\.)?(?:__diesel_schema_migrations|schema_migrations|goose_db_version|gorp_migrations'
        r"|flyway_schema_history|_sqlx_migrations|pgmigrations|refinery_schema_history|_prisma_migrations"
        r'|alembic_version|django_migrations|schema_version|_yoyo_migration)" does not exist',
        "that table is the migration tool's own, and only the tool makes it: run the tool itself (attribute and key "
        "migrate), or let an earlier migration make the table",
    ),
    (
        r'ERROR:  syntax error at or near "\{"',
        "a tool fills in a template there, and psql does not: run the tool itself (attribute and key migrate)",
    ),
    (
        r'ERROR:  syntax error at or near "(?:`|GO")',
        "that is the dialect of another database (MySQL and SQLite quote names by `, SQL Server divides by GO): have "
        "migrations name the files for PostgreSQL",
    ),
    (
        r"error: backslash commands are restricted",
        "the file says \\restrict, and no \\unrestrict follows: it is cut off; have pg_dump write it again",
    ),
    (
        r"error: \\connect: ",
        "the schema is built in one database of a server without a name: take \\connect out of the file",
    ),
    (
        r'ERROR:  syntax error at or near "(?:<<<<<<<|=======|>>>>>>>)',
        "the file has marks of a merge conflict: resolve it",
    ),
)


def refusal(kind: str, shown: str, path: str, words: str) -> str:
    """Return a message with the line where the fault is, not where the statement ends.

    Args:
        kind: What the file is: ``migration`` or ``seed``.
        shown: Its path in the workspace.
        path: Its path as psql was told it.
        words: psql's standard error.
    """
    statement_match = _STATEMENT.search(words)
    statement = statement_match.group(1).rstrip("\n") if statement_match else ""
    words = words[: statement_match.start()] if statement_match else words
    error = _PSQL_ERROR.search(words)
    if not error:
        said = indented(words) if words.strip() else "    psql ended without a word: does the file include itself?"
        return f"PostgreSQL refused {kind} {shown}:\n{said}{_remedy(words.strip(), shown)}"
    message = error["message"].rstrip("\n")
    # psql counts the line on which the statement ends; the server counts within the statement, if it gives a position.
    last = int(error["line"])
    first = last - statement.count("\n")
    position = _LINE_IN_STATEMENT.search(message)
    # With QUERY, the position is in a query that a function ran, not in the file.
    if position and statement and "\nQUERY:  " not in message:
        first = last = first + int(position.group(1)) - 1
    lines = f"line {first}" if first == last else f"lines {first}-{last}"
    if error["file"] != path:
        lines += f" of {error['file']}, which it includes"
    shown_statement = f"\n  in the statement:\n{indented(statement)}" if statement else ""
    return f"PostgreSQL refused {kind} {shown}, {lines}:\n{indented(message)}{shown_statement}{_remedy(message, shown)}"


def open_transaction(kind: str, shown: str, line: int) -> str:
    """Return a message for a file that begins a transaction and does not end it.

    Args:
        kind: What the file is.
        shown: Its path in the workspace.
        line: Where it begins one; 0: nobody knows.
    """
    place = f" (line {line} begins one)" if line else ""
    return (
        f"{kind} {shown} leaves a transaction open{place}: PostgreSQL would roll back what it did in there, without a "
        "word. End it with COMMIT;"
    )


def _remedy(message: str, shown: str) -> str:
    if _MISSING_FILE.search(message):
        return (
            "\n  what a file includes is an input: under Bazel name it in data, beside migrations. \\ir starts from "
            "the file itself, \\i and \\copy from the workspace (in plain pytest, the project's directory)"
        )
    if role := _MISSING_ROLE.search(message):
        return f"\n  {_remedy_for_role(role[1])}"
    found = next((remedy for pattern, remedy in _REMEDIES if re.match(pattern, message)), "")
    if not found and not shown.lower().endswith(".sql") and _NOT_SQL.search(message):
        found = (
            f"is {shown} a file of SQL? Have migrations name only such files; files of a migration tool that are "
            "programs or XML are applied by the tool itself (attribute and key migrate)"
        )
    return f"\n  {found}" if found else ""


def _remedy_for_role(role: str) -> str:
    name = role if _PLAIN_NAME.fullmatch(role) else f'"{role}"'
    return (
        f"the server has no role {role!r}, which files of pg_dump name as an owner. If it is the superuser, "
        f'write user = "{role}" on the service; if it is one of the application\'s or of a platform (Supabase, RDS), '
        f"let an earlier migration say CREATE ROLE {name}; or write the file by pg_dump --no-owner --no-privileges"
    )


def indented(text: str) -> str:
    """Return ``text`` as it stands below a message."""
    return "\n".join(f"    {line}" for line in text.rstrip("\n").split("\n"))
