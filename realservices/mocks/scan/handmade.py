"""Classes that a suite writes itself to stand for a client: `FakeRedis`, `StubSession`, `InMemoryUserStore`."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from realservices.mocks.model import Service
from realservices.mocks.scan.vocabulary import METHODS, WEAK_METHODS, service_of_name, service_of_package

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = re.compile(r"^_*(?:Fake|Stub|Stubbed|Mock|Mocked|Dummy|InMemory|Spy|Recording|Null|Simulated)(?=[A-Z_0-9]|$)"
                   r"|(?<=[a-z0-9_])(?:Fake|Stub|Mock|Double|Dummy)$")  # fmt: skip
_SERVICES = frozenset(set(Service) - {Service.OTHER, Service.OWN_CODE})
_ENOUGH_METHODS = 2


def fake_class(node: ast.ClassDef, bases: Sequence[str]) -> tuple[Service, str] | None:
    """Return the service that a class stands for, and why; None where it stands for none.

    Args:
        node: The class.
        bases: Full names of its bases.
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
    named = service_of_name(node.name)
    if is_named and named and named[0] in _SERVICES and methods:
        return named[0], f'{node.name} says "{named[1]}"'
    return _by_weak_methods(node.name, methods) if is_named else None


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
