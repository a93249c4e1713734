"""The tables of the project's database as PostgreSQL itself describes them, after the project's migrations have run.

Rows that a converted test inserts must be ones that the real tables accept: required columns, types, keys, enums.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from realservices.isolation.isolation_manager import IsolationManager
from realservices.kinds.postgres.isolated import postgres_of
from realservices.sources.declarations import declared_in
from realservices.sources.services import find_services

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# Catalogue: https://www.postgresql.org/docs/current/catalogs.html
_COLUMNS = """
SELECT c.relname AS tbl, n.nspname AS namespace, a.attname AS name, format_type(t.oid, NULL) AS type,
       CASE WHEN t.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN a.atttypmod - 4 END AS length,
       a.attnotnull AS required, a.atthasdef OR a.attidentity <> '' AS has_default,
       a.attgenerated <> '' AS is_generated, a.attidentity = 'a' AS is_always,
       pg_get_serial_sequence(quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname) AS sequence,
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
ORDER BY n.nspname, c.relname, a.attnum
"""
_KEYS = """
SELECT c.relname AS tbl, n.nspname AS namespace, k.contype::text AS kind, pg_get_constraintdef(k.oid) AS text,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) u JOIN pg_attribute a
             ON a.attrelid = k.conrelid AND a.attnum = u) AS columns,
       f.relname AS parent, fn.nspname AS parent_namespace,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) u JOIN pg_attribute a
             ON a.attrelid = k.confrelid AND a.attnum = u) AS parent_columns
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
WHERE k.contype IN ('p', 'u', 'f', 'c', 'x') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
UNION ALL
SELECT c.relname, n.nspname, 'i', pg_get_indexdef(i.indexrelid), '{}', NULL, NULL, '{}'
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indisunique AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = c.oid)
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: name, type as PostgreSQL calls it, greatest length, and what an INSERT must know."""

    name: str
    type: str
    length: int | None = None
    is_required: bool = False
    has_default: bool = False
    is_generated: bool = False
    has_sequence: bool = False
    is_always: bool = False
    labels: tuple[str, ...] = ()

    @property
    def is_integer(self) -> bool:
        """Whether it holds whole numbers."""
        return self.type in ("smallint", "integer", "bigint")

    @property
    def must_be_given(self) -> bool:
        """Whether an INSERT without it fails."""
        return self.is_required and not self.has_default and not self.is_generated


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns that must be there in another table."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(slots=True)
class Table:
    """A table: its columns in order, unique columns (the primary key's, too), foreign keys, texts of its CHECKs.

    `unlike` has the texts of unique indexes and of EXCLUDE: what they name must differ from row to row.
    """

    name: str
    columns: dict[str, Column] = field(default_factory=dict)
    unique: list[tuple[str, ...]] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    unlike: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Schema:
    """All tables by name; those of another schema than "public" as "schema.table"."""

    tables: dict[str, Table] = field(default_factory=dict)

    def table(self, name: str) -> Table | None:
        """Return a table by the name that SQL has for it."""
        return self.tables.get(name) or self.tables.get(name.lower())

    def with_columns(self, names: Iterable[str]) -> list[Table]:
        """Return the tables that have all of these columns."""
        wanted = set(names)
        return [table for table in self.tables.values() if wanted and wanted <= table.columns.keys()]


def read_schema(root: Path) -> Schema:
    """Start the project's PostgreSQL and read what its migrations have made.

    Args:
        root: The project's directory; without a declaration of its own there are no tables, and nothing is started.

    Raises:
        RealServicesError: The declaration is wrong, a migration fails, or PostgreSQL does not start.
    """
    if not declared_in(root):
        return Schema()
    manager = IsolationManager(find_services(root, []))
    try:
        if not manager.has("database"):
            return Schema()
        with postgres_of(manager).blocking(isolation="database") as connection:
            return make_schema(connection.fetch(_COLUMNS), connection.fetch(_KEYS))
    finally:
        manager.close()


def make_schema(columns: Iterable[Mapping[str, Any]], keys: Iterable[Mapping[str, Any]]) -> Schema:
    """Return the schema of rows of the catalogue."""
    schema = Schema()
    for row in columns:
        name = _name(row["namespace"], row["tbl"])
        table = schema.tables.setdefault(name, Table(name))
        table.columns[row["name"]] = Column(
            name=row["name"], type=row["type"], length=row["length"], is_required=row["required"],
            has_default=row["has_default"], is_generated=row["is_generated"],
            has_sequence=row["sequence"] is not None, is_always=row["is_always"], labels=tuple(row["labels"]),
        )  # fmt: skip
    for row in keys:
        table = schema.tables.get(_name(row["namespace"], row["tbl"])) or Table("")
        if row["kind"] in ("p", "u"):
            table.unique.append(tuple(row["columns"]))
        elif row["kind"] == "f":
            parent = _name(row["parent_namespace"], row["parent"])
            table.foreign_keys.append(ForeignKey(tuple(row["columns"]), parent, tuple(row["parent_columns"])))
        elif row["kind"] in ("i", "x"):
            table.unlike.append(row["text"])
        else:
            table.checks.append(row["text"])
    return schema


def _name(namespace: str, table: str) -> str:
    return table if namespace == "public" else f"{namespace}.{table}"
