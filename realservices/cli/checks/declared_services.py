"""This project's own declaration: what a session would stumble over at its start, service by service."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from realservices.cli.checks.finding import Finding, error, warning
from realservices.contract.errors import RealServicesError
from realservices.sources.declarations import declared_in, read_project
from realservices.sources.declared_kind import declared_kind
from realservices.sources.errors import MissingServiceError
from realservices.sources.project import project_root
from realservices.sources.variables import external_kinds, variable_of
from realservices.system.listeners import is_free, owner_of_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.sources.declarations import Declaration, Project

_FAILS = "Tests that need it fail."
_FILES = ("migrations", "schema", "seeds", "inputs")


def check_project() -> list[Finding]:
    """Look at what the project declares, as a session does that starts it."""
    root = project_root()
    try:
        path = declared_in(root)
        project = read_project(root)
    except RealServicesError as wrong:
        return [
            error(
                "project", "project", str(wrong), meaning="No test of this project starts.", remedy="Correct that file"
            )
        ]
    if path is None:
        return [
            Finding(
                "project", "project", f"{root} declares nothing: tests have an empty PostgreSQL and Redis",
                remedy="`python -m realservices init` proposes a declaration",
            )
        ]  # fmt: skip
    declared = [each for each in project.services.values() if not each.is_default]
    found = f"{path} declares {', '.join(each.name for each in declared) or 'no service'}"
    return [Finding("project", "project", found), *(each for one in declared for each in _service(one, project))]


def _service(declaration: Declaration, project: Project) -> Iterator[Finding]:
    identity = f"project.{declaration.name}", f"service {declaration.name}"
    try:
        wrong = list(_problems(declaration, project))
    except MissingServiceError as missing:
        yield warning(
            *identity, str(missing), meaning="Tests that need it skip, or fail where it is required.",
            remedy=f"Install it, or set {variable_of(declaration.kind)}",
        )  # fmt: skip
        return
    except RealServicesError as refused:
        wrong = [str(refused)]
    for each in wrong:
        yield error(
            *identity, each, meaning=_FAILS,
            remedy=f"What the line says; then: python -m realservices up {declaration.name}",
        )  # fmt: skip
    if not wrong:
        yield Finding(*identity, _shown(declaration))
    yield from _ports(declaration)


def _problems(declaration: Declaration, project: Project) -> Iterator[str]:
    """Yield what the server lacks.

    Raises:
        RealServicesError: A program or a file is not there, or what files say cannot be applied.
    """
    kind = declared_kind(declaration.kind)
    if declaration.kind in external_kinds():
        for key in _FILES:
            declaration.files(key)
    elif kind.has_template:
        program = kind.find_program()
        kind.recipe_with(program, declaration)
        yield from kind.lacking(declaration, program)
    else:
        with contextlib.ExitStack() as stack:
            kind.config(declaration, project.services, stack)


def _shown(declaration: Declaration) -> str:
    counts = {key: len(declaration.files(key)) for key in _FILES if declaration.values.get(key)}
    files = [f"{count} file{'s' * (count != 1)} of {key}" for key, count in counts.items()]
    return ", ".join([declaration.kind, *files])


def _ports(declaration: Declaration) -> Iterator[Finding]:
    for name, port in declaration.values.get("fixed_ports", {}).items():
        if not is_free(port):
            yield warning(
                f"project.{declaration.name}.{name}", f"service {declaration.name}",
                f"fixed_ports has {name} = {port}, and {owner_of_port(port)} listens there",
                meaning="`up` without dynamic ports fails. Tests lease other ports.",
                remedy="End that program, or declare another port",
            )  # fmt: skip
