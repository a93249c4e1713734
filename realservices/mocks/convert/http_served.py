"""Put the answers of a test into its own server, and have the code ask that: the address, and each route's path."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.expressions import source_of
from realservices.mocks.convert.handles import quoted
from realservices.mocks.convert.http_address import find_address, use_address
from realservices.mocks.convert.http_routes import HAND, answer_line
from realservices.mocks.convert.http_settings import origin_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from realservices.mocks.convert.http_routes import Route
    from realservices.mocks.convert.http_settings import Address
    from realservices.mocks.convert.test_plan import TestPlan


def serve(routes: Sequence[Route], base: str, plan: TestPlan, line: int, what: str) -> None:
    """Have the test's server give the answers, and the code ask it."""
    known = {origin for each in routes if (origin := origin_of(_head(each.url, plan)) or origin_of(base))}
    if len(known) > 1:
        shown = " and ".join(sorted(known))
        raise Unconvertible(line, what, f"answers of several servers: {shown}", "split the test, or convert by hand")
    address = find_address(plan, next(iter(known), ""), line, what)
    plan.take("isolated_http")
    use_address(address, plan)
    for route in routes:
        if route.is_refused:
            plan.faults = [*dict.fromkeys([*plan.faults, "isolated_http.stop()"])]
        else:
            route.path = path_of(route, base, address, plan)
            plan.seeds.append(answer_line(route))


def _head(url: ast.expr, plan: TestPlan) -> str:
    """Return the text that a URL begins with."""
    if isinstance(url, ast.JoinedStr) and url.values:
        return _head(url.values[0], plan)
    if isinstance(url, ast.FormattedValue):
        return _head(url.value, plan)
    if isinstance(url, ast.BinOp):
        return _head(url.left, plan)
    if isinstance(url, ast.Name):
        held = plan.module.constants.get(url.id)
        return _head(held, plan) if held is not None else ""
    return url.value if isinstance(url, ast.Constant) and isinstance(url.value, str) else ""


def path_of(route: Route, base: str, address: Address, plan: TestPlan) -> str:
    """Return the path of a route on the test's server, as Python's text.

    Raises:
        Unconvertible: It cannot be told.
    """
    parts = list(_parts(route.url))
    head = _head(route.url, plan)
    if origin_of(head):
        parts = [head[len(origin_of(head)) :], *parts[1:]]
    elif isinstance(parts[0], ast.expr):
        parts = [address.prefix, *parts[1:]]
    else:
        prefix = urlsplit(base).path.rstrip("/") if base else address.prefix
        parts = [prefix + ("" if str(parts[0]).startswith("/") else "/"), *parts]
    query = f"{'&' if any('?' in str(each) for each in parts if isinstance(each, str)) else '?'}{route.query}"
    parts += [query] if route.query else []
    if all(isinstance(each, str) for each in parts):
        text = "".join(map(str, parts)).split("#")[0]
        return quoted(text if text.startswith("/") else f"/{text}")
    shown = "".join(each if isinstance(each, str) else f"{{{_told(each, route)}}}" for each in parts)
    return f'f"{shown}"'


def _told(node: ast.expr, route: Route) -> str:
    text = source_of(node)
    if text is None or '"' in text:
        raise Unconvertible(route.line, route.method, "the path that the code asks for cannot be told", HAND)
    return text


def _parts(url: ast.expr) -> Iterator[str | ast.expr]:
    """Yield the texts and expressions that a URL is put together from."""
    if isinstance(url, ast.Constant):
        yield str(url.value)
    elif isinstance(url, ast.JoinedStr):
        for each in url.values:
            yield from _parts(each)
    elif isinstance(url, ast.FormattedValue):
        yield from _parts(url.value)
    elif isinstance(url, ast.BinOp) and isinstance(url.op, ast.Add):
        yield from _parts(url.left)
        yield from _parts(url.right)
    else:
        yield url
