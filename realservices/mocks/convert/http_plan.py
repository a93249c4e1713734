"""HTTP: what a fake or a patched client answers, a real server answers, if the code can be told where that is."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.expressions import UNKNOWN, source_of
from realservices.mocks.convert.handles import quoted
from realservices.mocks.convert.http_requests import COUNTED, LOOK
from realservices.mocks.convert.http_routes import (
    HAND,
    VERBS,
    Route,
    take_failure,
    take_response,
    take_word,
)
from realservices.mocks.convert.http_served import serve
from realservices.mocks.convert.http_settings import CLIENTS
from realservices.mocks.convert.mock_paths import CALLED, ENTERED, Fact, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.mocks.convert.service_calls import ServiceCall
    from realservices.mocks.convert.test_facts import Check, Mock
    from realservices.mocks.convert.test_plan import TestPlan

_PARTS = {"status_code": "status", "status": "status", "json": "json", "text": "body", "content": "body",
          "read": "body", "headers": "headers"}  # fmt: skip
_SILENT = {"ok", "is_success", "raise_for_status", "close", "aclose", "reason", "is_error", ""}
_STATUS_ERRORS = ("HTTPStatusError", "HTTPError", "ClientResponseError")


def plan_http(mock: Mock, plan: TestPlan) -> None:
    """Fill the plan of a test for a patched method, or module, of an HTTP client.

    Raises:
        Unconvertible: What it answers, or is asked, has no counterpart on a real server.
    """
    last = mock.target.rpartition(".")[2]
    verb = last if last in VERBS else ""
    calls = [call for call in plan.calls if _is_request(call, verb)]
    methods = {call.method for call in calls}
    if not mock.target or len(methods) != 1 or (not verb and full_name_root(mock) not in CLIENTS):
        why = "it cannot be told which requests the code makes" if mock.target else "a client is handed over"
        raise Unconvertible(mock.line, mock.target or mock.name, why, "hand a real client over, and isolated_http.url")
    if len({ast.unparse(call.node) for call in calls}) > 1:
        raise Unconvertible(mock.line, mock.target, "the code makes several requests, and one answer is for all", HAND)
    route = Route(calls[0].method.upper(), _url(mock, calls[0]), mock.line)
    for fact in mock.facts:
        _take_fact(route, fact, verb)
    serve([route], "", plan, mock.line, mock.target)
    plan.put(mock, "isolated_http")
    for check in mock.checks:
        _check(check, route, plan, verb)


def full_name_root(mock: Mock) -> str:
    """Return the client library that a patched name ends in, the library itself or what it is imported as."""
    return next((part for part in reversed(mock.target.split(".")) if part in CLIENTS), "")


def _is_request(call: ServiceCall, verb: str) -> bool:
    known = {origin.partition(".")[0] for origin in call.module.imports.values()}
    is_method = call.method == verb if verb else call.method in VERBS
    return is_method and bool(known & CLIENTS) and bool(call.node.args or "url" in call.keywords)


def _url(mock: Mock, call: ServiceCall) -> ast.expr:
    asked = [check.arguments[0] for check in mock.checks if check.arguments]
    known = [node for node in asked if isinstance(node, ast.Constant | ast.JoinedStr)]
    return known[0] if known else (call.node.args[0] if call.node.args else call.keywords["url"])


def _take_fact(route: Route, fact: Fact, verb: str) -> None:
    words = [word for word in fact.path if word not in (CALLED, ENTERED)]
    if not verb and words and words[0] in VERBS:
        words = words[1:]
    part = words[-1] if words else ""
    if fact.kind is Kind.EFFECT:
        _take_effect(route, fact, part)
    elif not part and fact.kind is Kind.RETURNS:
        take_response(route, fact.value)
    elif part == "json" and isinstance(fact.value, ast.Lambda):
        take_word(route, "json", fact.value.body, fact.value)
    elif part in _PARTS:
        take_word(route, _PARTS[part], fact.value, fact.value)
    elif part not in _SILENT:
        raise Unconvertible(fact.line, part, "this part of a response has no counterpart", HAND)


def _take_effect(route: Route, fact: Fact, part: str) -> None:
    if part == "raise_for_status":
        node = fact.value.func if isinstance(fact.value, ast.Call) else fact.value
        if not ast.unparse(node).endswith(_STATUS_ERRORS):
            raise Unconvertible(fact.line, part, "no status makes the client raise that", HAND)
        if int(route.answer.get("status", "200")) < 400:
            route.answer["status"] = "500"
    elif not part:
        take_failure(route, fact.value)
    elif not (isinstance(fact.value, ast.Constant) and fact.value.value is None):
        raise Unconvertible(fact.line, part, "the mock answers by a function, or fails", HAND)


def _check(check: Check, route: Route, plan: TestPlan, verb: str) -> None:
    words = [word for word in check.path if word not in (CALLED, ENTERED)]
    words = words[1:] if not verb and words else words
    if words:
        plan.note_gone(check, f"that {words[-1]!r} was {check.word} leaves no trace in a server")
        return
    if check.looks:
        raise Unconvertible(check.line, "call_args", "the test looks into the mock", LOOK)
    if route.is_refused:
        plan.note_gone(check, "that a server which is gone was asked leaves no trace")
        return
    if check.word == "not called":
        plan.check(check.line, ["assert isolated_http.requests == []"])
        return
    asked = f"({quoted(route.method)}, {route.path})"
    lines = [f"assert {COUNTED} == [{asked}]" if check.times == 1 else f"assert {asked} in {COUNTED}"]
    lines = [f"assert len(isolated_http.requests) == {check.times}"] if (check.times or 0) > 1 else lines
    for word, value in check.keywords.items():
        lines += _argument(word, value, check, plan)
    if check.times != 1:  # Any of several requests will do.
        lines = [_of_any(line) for line in lines]
    plan.check(check.line, lines)


def _argument(word: str, value: ast.expr, check: Check, plan: TestPlan) -> Iterator[str]:
    last = "isolated_http.requests[-1]"
    text = source_of(value)
    if text is None or text == UNKNOWN or word == "url":
        return
    if word == "json":
        yield f"assert {last}.json() == {text}"
    elif word == "params" and isinstance(value, ast.Dict) and all(value.keys):
        pairs = zip(value.keys, value.values, strict=True)
        shown = ", ".join(f"{ast.unparse(key)}: {_as_text(each)}" for key, each in pairs if key is not None)
        yield f"assert {last}.params == {{{shown}}}"
    elif word == "headers" and isinstance(value, ast.Dict):
        for key, each in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant):
                yield f"assert {last}.headers.get({quoted(str(key.value).lower())}) == {ast.unparse(each)}"
    elif word in ("timeout", "verify", "allow_redirects", "follow_redirects", "stream"):
        plan.note(f"line {check.line}: {word} is the client's own and leaves no trace; it is not asserted any more")
    else:
        raise Unconvertible(check.line, word, "it cannot be told what this sends", LOOK)


def _of_any(line: str) -> str:
    """Return an assertion on the last request as one on any of them."""
    last = "isolated_http.requests[-1]"
    part, _, value = line.removeprefix("assert ").partition(" == ")
    if last not in part:
        return line
    return f"assert {value} in [{part.replace(last, 'each')} for each in isolated_http.requests]"


def _as_text(node: ast.expr) -> str:
    return quoted(str(node.value)) if isinstance(node, ast.Constant) else f"str({ast.unparse(node)})"
