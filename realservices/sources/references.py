"""References in a project's texts, as a manifest's parts: $(port http), $(url db), $(url db psycopg)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realservices.contract.environment import URL_DRIVERS
from realservices.sources.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Collection, Container

    Part = str | dict[str, str]

_REFERENCE = re.compile(r"\$(?:\$|\((\w+)(?: ([\w-]+))?(?: ([\w-]+))?\))")


def parts_of(
    where: str, text: str, *, needs: Collection[str], ports: Collection[str] | None, declared: Container[str]
) -> list[Part]:
    """Split a text at its references.

    Args:
        where: What holds the text, for messages.
        text: The text. ``$$`` stands for a dollar sign.
        needs: Names of the services that it may refer to.
        ports: Names of the ports of the service that holds it. None: no service does.
        declared: Names of all services.

    Raises:
        SettingError: A reference names nothing of these.
    """
    parts: list[Part] = []
    position = 0
    for match in _REFERENCE.finditer(text):
        parts.append(text[position : match.start()])
        position = match.end()
        word, first, second = match.groups()
        if word is None:
            parts.append("$")
        elif first in needs:
            parts.append(_of_other(where, match.group(), word, first, second))
        elif ports is None:
            raise SettingError(
                f"{where}: {match.group()} names no service; there is {', '.join(needs) or 'none'}, and a reference is "
                "$(host SERVICE), $(port SERVICE), $(url SERVICE) or the like"
            )
        elif first is None:
            parts.append({"service": "", "field": word})
        elif word == "port" and first in ports:
            parts.append({"service": "", "field": "port", "port": first})
        else:
            hint = f"; {first!r} is declared: add it to services" if first in declared else ""
            raise SettingError(
                f"{where}: {match.group()} names neither a service of services ({', '.join(needs) or 'none'}) nor a "
                f"port ({', '.join(ports)}){hint}"
            )
    parts.append(text[position:])
    return [part for part in parts if part != ""]


def _of_other(where: str, reference: str, word: str, service: str, extra: str | None) -> Part:
    part = {"service": service, "field": word}
    if extra is None:
        return part
    if word == "port":
        return part | {"port": extra}
    if word == "url" and extra in URL_DRIVERS:
        return part | {"driver": extra}
    raise SettingError(
        f"{where}: {reference}: after the service stands the name of a port, for $(port …), or for $(url …) a driver "
        f"of SQLAlchemy's: {', '.join(URL_DRIVERS)}"
    )
