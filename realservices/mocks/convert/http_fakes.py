"""Fakes of HTTP in a test, as libraries have them: what they answer, the test's own server answers."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.http_requests import as_server_has_it
from realservices.mocks.convert.http_routes import HAND, LIBRARIES, Route, RouteReader
from realservices.mocks.convert.http_served import serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from realservices.mocks.convert.test_facts import Fake
    from realservices.mocks.convert.test_plan import TestPlan


def plan_http_fakes(fakes: Sequence[Fake], plan: TestPlan) -> None:
    """Fill the plan of a test for its fakes of HTTP.

    Raises:
        Unconvertible: It does something that has no counterpart on a real server.
    """
    first = fakes[0]
    library = first.use.api.partition(".")[0]
    if library not in LIBRARIES:
        raise Unconvertible(first.use.line, first.use.api, f"fakes of {library} have no conversion", HAND)
    routers, base = _Installed(fakes, plan).remove()
    reader = RouteReader(library, routers)
    routes: list[Route] = []
    edits = plan.reading.edit(plan.reading.test)
    for statement in _leaves(plan.reading.test.body):
        if (route := reader.read(statement)) is not None:
            routes.append(route)
            edits.removed.add(statement.lineno)
    if not routes:
        raise Unconvertible(first.use.line, first.use.api, "no answers were found", HAND)
    serve(routes, base, plan, first.use.line, library)
    _replace_questions(routers, routes, plan)


class _Installed:
    """Fakes where they are installed: decorators, `with`, fixtures of plugins."""

    def __init__(self, fakes: Sequence[Fake], plan: TestPlan) -> None:
        self._fakes, self._plan = fakes, plan
        self._test = plan.reading.test

    def remove(self) -> tuple[set[str], str]:
        """Remove them; return the names that reach them, and the base URL of their routes."""
        imports = self._plan.module.imports
        routers = {name for name, origin in imports.items() if origin in ("respx", "responses")}
        base = ""
        edits = self._plan.reading.edit(self._test)
        for fake in self._fakes:
            if fake.function is not self._test:
                why = "a fixture installs the fake for its tests"
                raise Unconvertible(fake.use.line, fake.use.api, why, "have each test give isolated_http its answers")
            base = base or self._base(fake.node)
            if isinstance(fake.node, ast.arg):
                edits.dropped_arguments.add(fake.node.arg)
                routers.add(fake.node.arg)
            elif fake.node in self._test.decorator_list:
                edits.decorators.add(fake.node.lineno)
            else:
                routers |= self._unwrap(fake)
        return routers, base

    def _unwrap(self, fake: Fake) -> set[str]:
        for statement in ast.walk(self._test):
            for number, item in enumerate(getattr(statement, "items", ())):
                if item.context_expr is fake.node and isinstance(statement, ast.With | ast.AsyncWith):
                    self._plan.reading.edit(self._test).unwrapped.add((statement.lineno, number))
                    return {item.optional_vars.id} if isinstance(item.optional_vars, ast.Name) else set()
        raise Unconvertible(fake.use.line, fake.use.api, "the fake is started by hand", HAND)

    @staticmethod
    def _base(node: ast.AST) -> str:
        words = node.keywords if isinstance(node, ast.Call) else []
        given = [word.value for word in words if word.arg == "base_url"]
        return str(given[0].value) if given and isinstance(given[0], ast.Constant) else ""


def _replace_questions(routers: set[str], routes: Sequence[Route], plan: TestPlan) -> None:
    """Have what the test asks its fake, or a route of it, be asked of the server."""
    edits = plan.reading.edit(plan.reading.test)
    named = {route.name: (route.method, route.path) for route in routes if route.name}
    names = routers | {route.name for route in routes if route.name}
    for statement in _leaves(plan.reading.test.body):
        mentioned = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)} & names
        is_compound = hasattr(statement, "body")
        if statement.lineno in edits.removed or is_compound or not mentioned:
            continue
        line = as_server_has_it(statement, routers, named, is_only=len(routes) == 1)
        if line is None:
            what = ast.unparse(statement)[:60]
            raise Unconvertible(
                statement.lineno, what, "it cannot be asked of a server", "look at isolated_http.requests"
            )
        plan.check(statement.lineno, [line])


def _leaves(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        for name in ("body", "orelse", "finalbody"):
            yield from _leaves(getattr(statement, name, None) or [])
