"""SQLite in place of a database server: its URLs, its modules, Django's engine of it."""

from __future__ import annotations

import ast
import re

from realservices.mocks.scan.draft import keyword, literal

_URL = re.compile(r"(?:async|sync)?sqlite(?:\+\w+)?:(?:/|:memory:)", re.IGNORECASE)
_CONNECTS = {
    "sqlite3.connect", "sqlite3.dbapi2.connect", "aiosqlite.connect", "apsw.Connection", "peewee.SqliteDatabase",
    "playhouse.sqlite_ext.SqliteExtDatabase", "playhouse.apsw_ext.APSWDatabase", "pysqlite3.connect",
}  # fmt: skip
_DJANGO = "django.db.backends.sqlite3"
_PLACES = re.compile(
    r"url|uri|dsn|engine|database|db|connect|sql|metadata|session|backend|setenv|config", re.IGNORECASE
)


def is_connect(full: str) -> bool:
    """Return whether a call opens an SQLite database by itself."""
    return full in _CONNECTS


def is_url(node: ast.AST | None) -> bool:
    """Return whether an expression is a URL of SQLite."""
    if isinstance(node, ast.Constant):  # Most are numbers or other texts.
        return isinstance(node.value, str) and "sqlite" in node.value.lower() and bool(_URL.match(node.value))
    return isinstance(node, ast.JoinedStr | ast.BinOp) and bool(_URL.match(literal(node)))


def is_place(name: str) -> bool:
    """Return whether a name is one of a database's address, or of what takes one."""
    return bool(_PLACES.search(name))


def url_in_call(call: ast.Call, called: str) -> ast.expr | None:
    """Return the argument by which a call is told to use SQLite."""
    for value in call.args:
        if is_url(value) and is_place(called):
            return value
    for one in call.keywords:
        if one.arg and is_url(one.value) and (is_place(one.arg) or is_place(called)):
            return one.value
    parts = keyword(call, "drivername")
    if literal(parts).startswith("sqlite"):
        return parts
    return (
        call.args[0]
        if called.endswith("URL.create") and call.args and literal(call.args[0]).startswith("sqlite")
        else None
    )


def django_engine(node: ast.Dict) -> ast.expr | None:
    """Return the value of ENGINE in a dictionary of Django's DATABASES that says SQLite."""
    for key, value in zip(node.keys, node.values, strict=True):
        if literal(key) == "ENGINE" and literal(value) == _DJANGO:
            return value
        if key is not None and is_url(value) and is_place(literal(key)):
            return value
    return None
