"""What to do about a statement that PostgreSQL refused in a file of SQL, known by its words."""

from __future__ import annotations

import re

from realservices.schema.missing_extension import remedy_for_absent

_MISSING_FILE = re.compile(
    r"^(?:error: (?!.*connection to server)|could not open file ).*: No such file or directory$", re.MULTILINE
)
_MISSING_ROLE = re.compile(r'^ERROR:  role "([^"\n]+)" does not exist')
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_NOT_SQL = re.compile(r"^ERROR:  syntax error at or near|^ERROR:  unterminated")
# What comes with Supabase's servers, as far as migrations name it.
_SUPABASES = r"(?:auth|extensions|storage|realtime|vault|graphql_public)"
_ITS_ROLES = r"(?:anon|authenticated|authenticator|service_role|supabase_\w+|dashboard_user)"
_DROPS = re.compile(
    r"(?:--[^\n]*\s|\s)*(?:DROP\b|ALTER\s[^;]*\bDROP\b)(?!.*\bIF\s+EXISTS\b)", re.IGNORECASE | re.DOTALL
)
_ABSENT = re.compile(r"ERROR:  (?!column |constraint )[^\n]* does not exist")
_BREAKPOINT = "--> statement-breakpoint"
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
        rf'ERROR:  (?:schema "{_SUPABASES}"|(?:relation|function|type) "?{_SUPABASES}\.[^\n]*|role "{_ITS_ROLES}"'
        r'|publication "supabase_realtime") does not exist',
        "servers of Supabase have it, and a plain PostgreSQL has not: docs/schema.md (Supabase) has a file that makes "
        "its roles and schemas; name it in migrations before the others",
    ),
    (
        r'ERROR:  database "([^"\n]+)" does not exist',
        'the schema is built in the database that the service calls so: write database = "{0}" on it, or '
        "current_database() and :DBNAME in the file",
    ),
    (
        r'ERROR:  role "[^"\n]+" already exists',
        "the service's superuser is called so, or a file before makes it: take the statement out, or give the service "
        "another superuser (user)",
    ),
    (
        r'ERROR:  tablespace "[^"\n]+" does not exist',
        "what stands in a tablespace of production has none here: dump with --no-tablespaces, or let an earlier "
        "migration say SET allow_in_place_tablespaces = on; CREATE TABLESPACE … LOCATION ''",
    ),
    (
        r"ERROR:  could not open file \"[^\"\n]+\" for reading",
        "COPY … FROM 'FILE' is read by the server, which has no files of the project's: write \\copy, with a path from "
        "the project's directory",
    ),
    (
        r"ERROR:  invalid transaction termination",
        "the file is run in a transaction, and a block in it says COMMIT: write the tool's own mark for files without "
        "one (docs/schema.md, Layouts), or put the block into a file of its own",
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
        r'ERROR:  (?:database "[^"\n]+" already exists|cannot drop the currently open database)',
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
        r'ERROR:  unterminated dollar-quoted string at or near "\$\w+\$',
        "a string that begins so has no end; or a tool, such as DbUp, would put a value there: run the tool itself "
        "(attribute and key migrate)",
    ),
    (
        r"ERROR:  ICU is not supported in this build",
        "take a PostgreSQL that is built with ICU: under Bazel distribution = "
        '"@rules_realservices//third_party/postgres:18", in plain pytest `python -m realservices fetch --icu`, or '
        "REALSERVICES_POSTGRES=/usr/lib/postgresql/17, for instance (docs/postgres.md)",
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
        r'ERROR:  (?:syntax error at or near "(?:`|\[|(?i:GO|IF|USE|LOCK|PRAGMA|ENGINE|AUTO_?INCREMENT|UNSIGNED)")'
        r'|type "(?:n(?:var)?char|datetime2?|(?:tiny|medium|long)(?:int|text|blob)|blob|clob|number|varchar2|double'
        r'|uniqueidentifier|(?:var)?binary)" does not exist)',
        "that looks like the dialect of another database (MySQL and SQLite quote names by `, SQL Server by [], and "
        "divides by GO): have migrations name the files for PostgreSQL",
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


def remedy_for(message: str, shown: str, statement: str = "") -> str:
    """Return what to do, on lines of its own, "" if that is not known.

    Args:
        message: psql's or the server's, from its first word on.
        shown: The file's path in the workspace.
        statement: What the server refused, if that is known.
    """
    if _MISSING_FILE.search(message):
        return (
            "\n  what a file includes is an input: under Bazel name it in data, beside migrations. \\ir starts from "
            "the file itself, \\i and \\copy from the workspace (in plain pytest, the project's directory)"
        )
    if shown.lower().endswith((".csv", ".tsv")) and _NOT_SQL.search(message):
        return (
            f"\n  a file of SQL loads such rows: \\copy TABLE FROM '{shown}' WITH (FORMAT csv, HEADER). Name that one"
        )
    if not shown.lower().endswith(".sql") and _NOT_SQL.search(message):
        return (
            f"\n  is {shown} a file of SQL? Have migrations name only such files; files of a migration tool that are "
            "programs or XML are applied by the tool itself (attribute and key migrate)"
        )
    found = next((_filled(remedy, match) for pattern, remedy in _REMEDIES if (match := re.match(pattern, message))), "")
    found = found or remedy_for_absent(message)
    found = found or _remedy_for_statement(message, statement)
    if not found and (role := _MISSING_ROLE.search(message)):
        found = _remedy_for_role(role[1])
    return f"\n  {found}" if found else ""


def _filled(remedy: str, match: re.Match[str]) -> str:
    return remedy.format(*match.groups()) if match.re.groups else remedy


def _remedy_for_statement(message: str, statement: str) -> str:
    if _BREAKPOINT in statement and "syntax error" in message:
        return f"drizzle divides statements at {_BREAKPOINT}, and psql at ;: end the one before that line by ;"
    if _ABSENT.match(message) and _DROPS.match(statement):
        return (
            "what is built anew has nothing to drop: if pg_dump --clean has written the file, write it without "
            "--clean, or with --if-exists"
        )
    return ""


def _remedy_for_role(role: str) -> str:
    name = role if _PLAIN_NAME.fullmatch(role) else f'"{role}"'
    return (
        f"the server has no role {role!r}, which files of pg_dump name as an owner. If it is the superuser, "
        f'write user = "{role}" on the service; if it is one of the application\'s or of a platform (Supabase, RDS), '
        f"let an earlier migration say CREATE ROLE {name}; or write the file by pg_dump --no-owner --no-privileges"
    )
