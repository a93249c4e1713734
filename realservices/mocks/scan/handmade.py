"""Classes that a suite writes itself to stand for a client: `FakeRedis`, `StubSession`, `InMemoryUserStore`."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from realservices.mocks.scan.names import service_of_name
from realservices.mocks.scan.vocabulary import METHODS, WEAK_METHODS, service_of_package
from realservices.mocks.scan_model import Service

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = re.compile(r"^_*(?:Fake|Stub|Stubbed|Mock|Mocked|Dummy|InMemory|Spy|Recording|Null|Simulated)(?=[A-Z_0-9]|$)"
                   r"|(?<=[a-z0-9_])(?:Fake|Stub|Mock|Double|Dummy)$")  # fmt: skip
_CLIENTS = {
    Service.REDIS: frozenset({"redis", "strictredis", "rediscluster"}),
    Service.POSTGRES: frozenset({"psycopg", "psycopg2", "asyncpg", "cursor", "asyncsession"}),
    Service.CLICKHOUSE: frozenset({"clickhouse"}),
}
_PARTS_OF_CLIENTS = frozenset({"connection", "connectionpool", "pool", "client", "session", "response", "transaction"})
_OF_PARTS = frozenset({"disconnect", "close", "execute", "connect", "acquire", "release", "get_connection", "cursor"})
_PARTS_OF_REDIS = frozenset({"pipeline", "pubsub", "sentinel"})
_OF_MOCKS = ("mock", "fake", "stub", "builtins.object")
_SERVICES = frozenset(set(Service) - {Service.OTHER, Service.OWN_CODE})
_ENOUGH_METHODS = 2


def fake_class(node: ast.ClassDef, bases: Sequence[str], context: Service) -> tuple[Service, str] | None:
    """Return the service that a class stands for, and why; None where it stands for none.

    Args:
        node: The class.
        bases: Full names of its bases.
        context: What its file is about.
    """
    is_named = bool(_NAME.search(node.name))
    for base in bases:
        service = service_of_package(base)
        if service in _SERVICES and is_named:
            return service, f"{node.name} is a {base}"
    methods = [one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = _by_methods(methods, 1 if is_named else _ENOUGH_METHODS)
    if found and (is_named or _is_clients_name(node.name)):
        return found[0], f"{node.name} has {found[1]}"
    bare = node.name.strip("_").removeprefix("Async").lower()
    is_free = all(any(word in base.lower() for word in _OF_MOCKS) for base in bases)
    if is_free and (client := _by_clients_name(node.name, bare, methods, context)):
        return client
    named = service_of_name(node.name)
    if is_named and named and named[0] in _SERVICES and methods:
        return named[0], f'{node.name} says "{named[1]}"'
    return _by_weak_methods(node.name, methods) if is_named else None


def _by_clients_name(name: str, bare: str, methods: Sequence[str], context: Service) -> tuple[Service, str] | None:
    for client, names in _CLIENTS.items():
        if bare in names:
            return client, f"{name} has the name of a client's class"
    if context is Service.REDIS and bare in _PARTS_OF_REDIS:
        return context, f"{name} has the name of a part of a Redis client"
    if context in _SERVICES and bare in _PARTS_OF_CLIENTS and not _OF_PARTS.isdisjoint(methods):
        return context, f"{name} has {', '.join(sorted(_OF_PARTS.intersection(methods)))}"
    return None


def _is_clients_name(name: str) -> bool:
    return service_of_name(name) is not None or name.endswith(("Client", "Connection", "Session"))


def _by_methods(methods: Sequence[str], enough: int) -> tuple[Service, str] | None:
    counted: dict[Service, list[str]] = {}
    for name in methods:
        service = METHODS.get(name)
        if service:
            counted.setdefault(service, []).append(name)
    if not counted:
        return None
    service, names = max(counted.items(), key=lambda one: len(one[1]))
    return (service, ", ".join(names[:3])) if len(names) >= enough else None


def _by_weak_methods(class_name: str, methods: Sequence[str]) -> tuple[Service, str] | None:
    services = [set(WEAK_METHODS[name]) for name in methods if WEAK_METHODS.get(name)]
    names = [name for name in methods if WEAK_METHODS.get(name)]
    if len(services) < _ENOUGH_METHODS:
        return None
    shared = set.intersection(*services)
    return (min(shared), f"{class_name} has {', '.join(names[:3])}") if shared else None
