"""A PostgreSQL service as one worker of pytest-xdist has it: with a database of the worker's own for programs.

Code under test that migrates or fills the database of DATABASE_URL would otherwise meet the other workers there.
"""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from realservices.contract import environment
from realservices.system.bazel_files import load_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realservices.contract.runtime import Endpoint
    from realservices.sources.source import Declared


def is_used_by_servers(name: str, declared: Sequence[Declared]) -> bool:
    """Return whether servers of the project's own have a service: tests must see the database that these have."""
    return any(name in service.needs for service in declared if service.kind == "executable")


def with_database(endpoint: Endpoint, database: str) -> Endpoint:
    """Return a service whose database for programs is another one."""
    url = urlsplit(endpoint.url)._replace(path=f"/{database}").geturl()
    return dataclasses.replace(endpoint, database=database, url=url)


def changed_variables(before: Endpoint, after: Endpoint) -> dict[str, str]:
    """Return the variables of this process that name a service's database, with another one."""
    mapping = _mapping(before.name)
    old, new = _variables(before, mapping), _variables(after, mapping)
    return {name: new[name] for name in new if new[name] != old[name] and os.environ.get(name) == old[name]}


def _mapping(service: str) -> dict[str, list[environment.Part]]:
    """Return those variables of a target's own attribute ``env`` that speak of one service alone."""
    path = os.environ.get(environment.MANIFEST)
    return {
        name: parts
        for name, parts in (load_manifest(path).env if path else {}).items()
        if {part["service"] for part in parts if isinstance(part, dict) and "service" in part} == {service}
    }


def _variables(endpoint: Endpoint, mapping: dict[str, list[environment.Part]]) -> dict[str, str]:
    endpoints = {endpoint.name: dataclasses.asdict(endpoint)}
    return environment.service_environment(endpoints) | environment.mapped_environment(mapping, endpoints)
