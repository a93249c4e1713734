"""Checks of the server settings that a project declares: as the rules check theirs (rules/private/settings.bzl)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realservices.kinds.registry import find
from realservices.sources.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[a-z_][a-z0-9_.-]*")


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
    described = find(kind)
    owned = described.owned_settings if described.owned_key == key else {}
    for name, value in settings.items():
        shown = f"{where}: {key}: {name} = {value!r}"
        if not _NAME.fullmatch(name):
            raise SettingError(f"{shown}; a name consists of lower-case letters, digits, '_', '-' and '.'")
        if isinstance(value, dict):
            raise SettingError(
                f"{shown}; a value is a text or a number. A name with dots is quoted: '\"{name}.…\" = …'"
            )
        reason = owned.get(name.replace("-", described.hyphen))
        if reason:
            raise SettingError(f"{shown}; {reason}. Remove it")
        if "\n" in str(value) or "\r" in str(value):
            raise SettingError(f"{shown}; a value is one line")
