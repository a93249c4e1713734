"""Places of rows, in lists of a type that asyncpg knows by itself.

About arrays of most other types, ``tid[]`` among them, it asks the server first, which takes 15 ms for each connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from realservices.kinds.postgres.isolation.restore.pristine import Place


def at_places(argument: str = "$1") -> str:
    """Return a condition: the row is at one of some places, an argument made by `as_texts`."""
    return f"ctid = ANY ({argument}::text[]::tid[])"


def as_texts(places: Iterable[Place]) -> list[str]:
    """Return places as PostgreSQL writes them."""
    return [f"({block},{number})" for block, number in places]


def as_places(texts: Iterable[str]) -> list[Place]:
    """Return places that PostgreSQL has written."""
    return [(int(block), int(number)) for block, _, number in (text[1:-1].partition(",") for text in texts)]
