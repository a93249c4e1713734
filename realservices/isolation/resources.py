"""The keys of an environment: which kind of service each is a client of, and what it needs to be available."""

from __future__ import annotations

import functools
import importlib.util
from typing import TYPE_CHECKING

from realservices.kinds.registry import find, names

if TYPE_CHECKING:
    from realservices.kinds.kind import Kind

FILESYSTEM = "filesystem"
_PROTOCOLS = ("http", "websocket", "llm")


@functools.cache
def kinds_by_resource() -> dict[str, Kind]:
    """Return the kind behind each key that is a client of a database."""
    return {resource: kind for kind in map(find, names()) for resource in kind.resources}


@functools.cache
def all_resources() -> tuple[str, ...]:
    """Return all keys."""
    return (*kinds_by_resource(), *_PROTOCOLS, FILESYSTEM)


def kind_of(resource: str) -> Kind | None:
    """Return the kind behind a key, None if it is a client of no database."""
    return kinds_by_resource().get(resource)


def marker_of(resource: str) -> str:
    """Return the word of `@pytest.mark.realservices` that names the service behind a key."""
    kind = kind_of(resource)
    return kind.name if kind else resource


def are_packages_there(resource: str) -> bool:
    """Return whether the client libraries of a key are installed, where they are its user's own."""
    kind = kind_of(resource)
    return all(importlib.util.find_spec(package) is not None for package in (kind.resources[resource] if kind else ()))
