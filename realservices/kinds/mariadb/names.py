"""Names and texts in statements, quoted as MariaDB wants it (https://mariadb.com/kb/en/identifier-names/)."""

from __future__ import annotations

TEMPLATE_DATABASE = "realservices_template"
"""The database that copies are made of; programs have another one with the same content."""

OWN_PREFIX = "realservices_"
"""How the names of all databases begin that are ours."""

SYSTEM_DATABASES = ("information_schema", "mysql", "performance_schema", "sys")


def quote_name(name: str) -> str:
    """Return a name in backticks."""
    return "`" + name.replace("`", "``") + "`"


def quote_text(text: str) -> str:
    """Return a text literal that says the same in every sql_mode."""
    return (
        "CONVERT(X'" + text.encode().hex() + "' USING utf8mb4)" if "\\" in text else "'" + text.replace("'", "''") + "'"
    )
