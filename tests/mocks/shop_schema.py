"""The tables of the shop, as PostgreSQL describes them: for tests that start none."""

from __future__ import annotations

from typing import Any

from realservices.mocks.convert.database_schema import Schema, make_schema

_TABLES: dict[str, list[tuple[str, str, bool, bool]]] = {
    "users": [("id", "integer", True, True), ("email", "character varying", True, False), ("name", "text", True, False),
              ("is_active", "boolean", True, True), ("created_at", "timestamp with time zone", True, True)],
    "products": [("id", "integer", True, True), ("sku", "character varying", True, False), ("title", "text", True, False),
                 ("price", "numeric", True, False), ("stock", "integer", True, False), ("tags", "jsonb", True, True)],
    "orders": [("id", "integer", True, True), ("user_id", "integer", True, False), ("product_id", "integer", True, False),
               ("quantity", "integer", True, False), ("state", "order_state", True, True)],
    "notes": [("id", "bigint", True, True), ("author", "text", True, False), ("body", "text", True, False),
              ("pinned", "boolean", True, True)],
}  # fmt: skip
_LENGTHS = {("users", "email"): 100, ("products", "sku"): 12}
_PARENTS = {"user_id": "users", "product_id": "products"}


def shop_schema() -> Schema:
    """Return the schema of `shop/migrations`."""
    columns: list[dict[str, Any]] = []
    keys: list[dict[str, Any]] = []
    for table, listed in _TABLES.items():
        for name, kind, required, has_default in listed:
            columns.append({
                "tbl": table, "namespace": "public", "name": name, "type": kind, "length": _LENGTHS.get((table, name)),
                "required": required, "has_default": has_default, "is_generated": False, "is_always": (table, name) == ("notes", "id"),
                "sequence": f"{table}_id_seq" if name == "id" else None,
                "labels": ["new", "paid", "sent"] if kind == "order_state" else [],
            })  # fmt: skip
            if name in _PARENTS:
                keys.append(_key(table, "f", [name], _PARENTS[name]))
        keys.append(_key(table, "p", ["id"], None))
    keys += [_key("users", "u", ["email"], None), _key("products", "u", ["sku"], None)]
    return make_schema(columns, keys)


def _key(table: str, kind: str, columns: list[str], parent: str | None) -> dict[str, Any]:
    return {
        "tbl": table, "namespace": "public", "kind": kind, "text": "", "columns": columns, "parent": parent,
        "parent_namespace": "public" if parent else None, "parent_columns": ["id"],
    }  # fmt: skip
