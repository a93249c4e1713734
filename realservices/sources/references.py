"""References in a project's texts, as a manifest's parts: $(port http), $(url db), $(url db psycopg)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realservices.kinds.kind import FIELDS
from realservices.kinds.registry import find
from realservices.sources.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from realservices.sources.declarations import Declaration

    Part = str | dict[str, str]

_REFERENCE = re.compile(r"\$(?:\$|\((\w+)(?: ([\w-]+))?(?: ([\w-]+))?\))")
# What is meant as one, and would stay as it stands.
_MISTAKEN = re.compile(rf"\$\([^)]*\)?|\$\{{\s*(?:{'|'.join(FIELDS)})\b[^}}]*\}}?")


def parts_of(
    where: str, text: str, *, needs: Collection[str], ports: Collection[str] | None, declared: Mapping[str, Declaration]
) -> list[Part]:
    """Split a text at its references.

    Args:
        where: What holds the text, for messages.
        text: The text. ``$$`` stands for a dollar sign.
        needs: Names of the services that it may refer to.
        ports: Names of the ports of the service that holds it. None: no service does.
        declared: All services, by name.

    Raises:
        SettingError: A reference names nothing of these.
    """

    def part_of(match: re.Match[str]) -> Part:
        word, first, second = match.groups()
        if first in needs:
            return _of_other(where, match.group(), word, declared[first], second)
        if ports is None:
            raise SettingError(
                f"{where}: {match.group()} names no service; there is {', '.join(needs) or 'none'}, and a reference is "
                "$(host SERVICE), $(port SERVICE), $(url SERVICE) or the like"
            )
        if first is None:
            return {"service": "", "field": word}
        if word == "port" and first in ports:
            return {"service": "", "field": "port", "port": first}
        hint = f"; {first!r} is declared: add it to services" if first in declared else ""
        raise SettingError(
            f"{where}: {match.group()} names neither a service of services ({', '.join(needs) or 'none'}) nor a "
            f"port ({', '.join(ports)}){hint}"
        )

    if mistaken := _MISTAKEN.search(_REFERENCE.sub("", text)):
        raise SettingError(
            f"{where}: {mistaken.group()} is no reference; one is written $(host SERVICE), $(port SERVICE NAME), "
            "$(url SERVICE FORM) or the like, with one space between its words, and $$ is a dollar sign"
        )
    return split(text, _REFERENCE, part_of)


def split(text: str, reference: re.Pattern[str], part_of: Callable[[re.Match[str]], Part]) -> list[Part]:
    """Split a text at what looks like a reference; ``$$`` stands for a dollar sign."""
    parts: list[Part] = []
    position = 0
    for match in reference.finditer(text):
        parts.append(text[position : match.start()])
        position = match.end()
        parts.append("$" if match.group() == "$$" else part_of(match))
    return [part for part in (*parts, text[position:]) if part != ""]


def _of_other(where: str, reference: str, word: str, service: Declaration, extra: str | None) -> Part:
    fields = find(service.kind).fields
    if word not in fields:
        raise SettingError(
            f"{where}: {reference}: a service of kind {service.kind!r} has no {word}; it has "
            + ", ".join(sorted(fields))
        )
    part = {"service": service.name, "field": word}
    if extra is None:
        return part
    if word == "port":
        return part | {"port": extra}
    forms = find(service.kind).url_forms
    if word == "url" and extra in forms:
        return part | {"driver": extra}
    raise SettingError(
        f"{where}: {reference}: after the service stands the name of a port, for $(port …), or for $(url …) the form "
        f"of its address: {', '.join(forms) or 'none'}"
    )
