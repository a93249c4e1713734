"""Services whose template begins from another one's: the key `base` of a `postgres` service."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from realservices.sources.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from realservices.sources.declarations import Declaration

# What a template and its base must have in common, with the defaults.
_COMMON: dict[str, Any] = {"database": "test", "user": "test", "settings": {}, "locale": "", "locale_provider": ""}


def with_bases(declared: Mapping[str, Declaration]) -> dict[str, Declaration]:
    """Return services that know the one which they begin from.

    Raises:
        SettingError: One cannot begin from what it names.
    """
    return {name: _with_base(declaration, declared, ()) for name, declaration in declared.items()}


def _with_base(declaration: Declaration, declared: Mapping[str, Declaration], above: tuple[str, ...]) -> Declaration:
    name = declaration.values.get("base")
    if name is None:
        return declaration
    _check(declaration, name, declared, above)
    return dataclasses.replace(declaration, base=_with_base(declared[name], declared, (*above, declaration.name)))


def _check(declaration: Declaration, name: str, declared: Mapping[str, Declaration], above: tuple[str, ...]) -> None:
    where = f"{declaration.where}: base = {name!r}"
    if name not in declared:
        raise SettingError(f"{where}, which is not declared; there are {', '.join(declared)}")
    base = declared[name]
    if base.kind != declaration.kind:
        raise SettingError(
            f"{where}, which is a {base.kind} service; a {declaration.kind} service begins from another one"
        )
    if name in (*above, declaration.name):
        way = " from ".join(map(repr, (*above, declaration.name, name)))
        raise SettingError(f"{where}: nothing begins from itself ({way}); leave out one of these keys")
    for key, default in _COMMON.items():
        own, other = declaration.values.get(key, default), base.values.get(key, default)
        if own != other:
            raise SettingError(
                f"{declaration.where}: {key} = {own!r}, and its base {name!r} has {key} = {other!r}; both need the same"
            )
