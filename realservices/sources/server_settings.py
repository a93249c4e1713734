"""Checks of the server settings that a project declares: as the rules check theirs (rules/private/settings.bzl)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realservices.contract.owned_settings import OWNED_SETTINGS
from realservices.sources.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[a-z_][a-z0-9_.-]*")
# The key that an owned setting would stand in. ClickHouse's `settings` are those of queries.
_OWNED_IN = {"postgres": "settings", "redis": "settings", "clickhouse": "server_settings"}


def check_server_settings(where: str, kind: str, key: str, settings: Mapping[str, object]) -> None:
    """Refuse settings that are none, or that are the launcher's.

    Args:
        where: File and service, for messages.
        kind: The service's.
        key: The declaration's key that they stand in.
        settings: By name, as declared.

    Raises:
        SettingError: One is refused.
    """
    owned = OWNED_SETTINGS[kind] if _OWNED_IN.get(kind) == key else {}
    for name, value in settings.items():
        shown = f"{where}: {key}: {name} = {value!r}"
        if not _NAME.fullmatch(name):
            raise SettingError(f"{shown}; a name consists of lower-case letters, digits, '_', '-' and '.'")
        if isinstance(value, dict):
            raise SettingError(
                f"{shown}; a value is a text or a number. A name with dots is quoted: '\"{name}.…\" = …'"
            )
        reason = owned.get(own_name(kind, name))
        if reason:
            raise SettingError(f"{shown}; {reason}. Remove it")
        if "\n" in str(value) or "\r" in str(value):
            raise SettingError(f"{shown}; a value is one line")


def own_name(kind: str, name: str) -> str:
    """Return what the server calls a setting: PostgreSQL takes hyphens for underscores on its command line."""
    return name.replace("-", "_") if kind == "postgres" else name
