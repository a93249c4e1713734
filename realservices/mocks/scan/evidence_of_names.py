"""What the names of a mock say of the service that it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.scan.draft import keyword, literal
from realservices.mocks.scan.names import (
    GENERIC_WORDS,
    VAGUE_WORDS,
    is_of_another_store,
    service_of_name,
    words_of,
)
from realservices.mocks.scan_model import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.scan.draft import Draft

_DATABASE_WORDS = frozenset({"conn", "connection", "pool", "session"})
WEAK, NAME = 1.0, 1.5
"""How much it weighs that a name may be a client's, and that it says which."""


def names_say(draft: Draft, *, is_own: bool) -> Iterator[tuple[Service, float, str]]:
    """Yield what the names say: of a target the last part, and the module before it where that says nothing."""
    if is_of_another_store(draft.target):
        return
    for name in (*_parts_of_target(draft.target), *draft.names, *draft.hints, *named_by(draft)):
        found = service_of_name(name.rpartition(".")[2])
        if found and not (is_own and found[1] in VAGUE_WORDS):
            yield found[0], NAME, f'the name {name} says "{found[1]}"'
            return
    for name in () if is_own else (*draft.names, *draft.hints):
        if not _DATABASE_WORDS.isdisjoint(words_of(name.rpartition(".")[2])):
            yield Service.POSTGRES, WEAK, f"a database's client may be called {name}"
            return


def named_by(draft: Draft) -> Iterator[str]:
    """Yield the name that a mock is given for its representation: `Mock(name="connection")`."""
    if draft.call and (name := literal(keyword(draft.call, "name"))):
        yield name


def _parts_of_target(target: str) -> list[str]:
    parts = target.split(".")
    last = parts[-1]
    words = set(last.lower().strip("_").split("_"))
    if words <= GENERIC_WORDS:
        return [last, *parts[-2:-1]]
    return [last] if target else []
