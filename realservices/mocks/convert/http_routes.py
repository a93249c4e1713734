"""Routes of fakes of HTTP: `respx`, `responses`, `aioresponses`, `requests-mock`, as answers of a real server."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.handles import quoted
from realservices.mocks.convert.mock_checks import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VERBS = ("get", "post", "put", "patch", "delete", "head", "options")
REFUSED = {"ConnectError", "ConnectionError", "ClientConnectorError", "ConnectionRefusedError", "ClientConnectionError"}
LIBRARIES = ("respx", "responses", "aioresponses", "requests_mock")
HAND = "give isolated_http its answers by hand"
_REGISTERS = {"route": "respx", "request": "respx", "add": "responses", "register_uri": "requests_mock"}
# What an argument is to the server, by library and name.
_WORDS = {
    "respx": {"status_code": "status", "json": "json", "text": "body", "content": "body", "html": "body",
              "headers": "headers"},
    "responses": {"status": "status", "json": "json", "body": "body", "headers": "headers"},
    "aioresponses": {"status": "status", "payload": "json", "body": "body", "headers": "headers"},
    "requests_mock": {"status_code": "status", "json": "json", "text": "body", "content": "body",
                      "headers": "headers"},
    "httpx": {"status_code": "status", "json": "json", "text": "body", "content": "body", "html": "body",
              "headers": "headers"},
}  # fmt: skip
_IGNORED = {"name", "repeat", "auto_calculate_content_length", "reason"}


@dataclass(slots=True)
class Route:
    """What a test has a fake answer.

    Attributes:
        method: For example ``GET``.
        url: The URL, as the test has it.
        line: Where.
        answer: Arguments for the server by name, as Python's text.
        query: What the URL's query must have, "" where that is open.
        is_refused: No server is to listen.
        name: What the test calls the route.
        path: The path on the test's server, as Python's text.
    """

    method: str
    url: ast.expr
    line: int
    answer: dict[str, str] = field(default_factory=dict)
    query: str = ""
    is_refused: bool = False
    name: str = ""
    path: str = ""


class RouteReader:
    """Reads the statements of a test that tell a fake what to answer.

    Args:
        library: Whose fake it is.
        routers: Names by which the test reaches it.
    """

    def __init__(self, library: str, routers: Iterable[str]) -> None:
        self._library, self._routers = library, set(routers)

    def read(self, statement: ast.stmt) -> Route | None:
        """Return the route that a statement adds, None where it adds none.

        Raises:
            Unconvertible: The answer, or what is asked for, is none that can be told.
        """
        value = statement.value if isinstance(statement, ast.Expr | ast.Assign) else None
        if value is None:
            return None
        answer: ast.expr | None = None
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mod):
            answer, value = value.right, value.left
        suffix: ast.Call | None = None
        if isinstance(value, ast.Call) and self._base(value) is None:
            inner = value.func.value if isinstance(value.func, ast.Attribute) else None
            suffix, value = value, inner if isinstance(inner, ast.Call) else value
        base = self._base(value) if isinstance(value, ast.Call) else None
        if base is None or not isinstance(value, ast.Call):
            return None
        route = self._route(base, value)
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            route.name = statement.targets[0].id
        if suffix is not None:
            self._take_suffix(route, suffix)
        if answer is not None:
            take_response(route, answer)
        return route

    def _base(self, call: ast.Call) -> str | None:
        """Return the method by which a call adds a route to the fake itself."""
        function = call.func
        if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
            return None
        is_known = function.attr in VERBS or _REGISTERS.get(function.attr) == self._library
        return function.attr if function.value.id in self._routers and is_known else None

    def _route(self, base: str, call: ast.Call) -> Route:
        words = {word.arg: word.value for word in call.keywords}
        arguments = list(call.args)
        method = base
        if base not in VERBS:
            given = words.pop("method", None) or (arguments.pop(0) if arguments else None)
            method = _method(given)
        url = words.pop("url", None) or words.pop("path", None) or (arguments.pop(0) if arguments else None)
        if url is None or not method or arguments:
            raise _refusal(call, "it cannot be told for which requests this answer is")
        route = Route(method.upper(), url, call.lineno)
        params = words.pop("params", None)
        if isinstance(params, ast.Dict):
            route.query = _query(params, call)
        elif params is not None:
            raise _refusal(call, "the query that is asked for is not written out")
        if self._library == "respx" and words.keys() - _IGNORED:
            raise _refusal(call, "the answer depends on a pattern of the request")
        self._take_words(route, words, call)
        return route

    def _take_words(self, route: Route, words: Mapping[str | None, ast.expr], call: ast.Call) -> None:
        for word, value in words.items():
            if word in ("exc", "exception") or (word == "body" and _exception(value) in REFUSED):
                take_failure(route, value)
            elif word == "content_type":
                route.answer["headers"] = f'{{"Content-Type": {ast.unparse(value)}}}'
            elif word not in _IGNORED:
                take_word(route, _WORDS[self._library].get(word or ""), value, call)

    def _take_suffix(self, route: Route, call: ast.Call) -> None:
        last = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        words = {word.arg: word.value for word in call.keywords}
        if last == "respond":
            if call.args:
                route.answer["status"] = ast.unparse(call.args[0])
            self._take_words(route, words, call)
        elif last == "mock" and "side_effect" in words:
            take_failure(route, words["side_effect"])
        elif last == "mock" and (given := words.get("return_value") or next(iter(call.args), None)) is not None:
            take_response(route, given)
        else:
            raise _refusal(call, "it cannot be told what is answered")


def take_response(route: Route, value: ast.expr) -> None:
    """Have a route answer with a response of httpx, a status, or a dictionary of its arguments.

    Raises:
        Unconvertible: It is none of these.
    """
    if isinstance(value, ast.Constant) and isinstance(value.value, int):
        route.answer["status"] = str(value.value)
        return
    if not isinstance(value, ast.Call) or ast.unparse(value.func).rpartition(".")[2] not in ("Response", "dict"):
        raise _refusal(value, "the response is not written out")
    if value.args:
        route.answer["status"] = ast.unparse(value.args[0])
    for word in value.keywords:
        if word.arg != "request":
            take_word(route, _WORDS["httpx"].get(word.arg or ""), word.value, value)


def take_word(route: Route, word: str | None, value: ast.expr, node: ast.AST) -> None:
    """Have a route answer with a part of a response.

    Raises:
        Unconvertible: The server has no such part, or it is a function.
    """
    if word is None or isinstance(value, ast.Lambda):
        raise _refusal(node, "a part of the answer has no counterpart")
    route.answer[word] = ast.unparse(value)


def take_failure(route: Route, value: ast.expr) -> None:
    """Have no server listen.

    Raises:
        Unconvertible: The failure is another one.
    """
    name = _exception(value)
    if name not in REFUSED:
        raise _refusal(value, "no server that is gone gives this failure")
    route.is_refused = True


def _exception(value: ast.expr) -> str:
    node = value.func if isinstance(value, ast.Call) else value
    return ast.unparse(node).rpartition(".")[2]


def _method(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    last = ast.unparse(node).rpartition(".")[2] if node is not None else ""
    return last if last.lower() in VERBS else ""


def _query(params: ast.Dict, call: ast.Call) -> str:
    pairs = []
    for key, value in zip(params.keys, params.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(value, ast.Constant):
            raise _refusal(call, "the query that is asked for is not written out")
        pairs.append((str(key.value), str(value.value)))
    return urlencode(pairs)


def _refusal(node: ast.AST, why: str) -> Unconvertible:
    return Unconvertible(getattr(node, "lineno", 0), shown(node), why, HAND)


def answer_line(route: Route) -> str:
    """Return the statement that has the server answer."""
    told = [f"{word}={route.answer[word]}" for word in ("status", "json", "body", "headers") if word in route.answer]
    told = [each for each in told if each != "status=200"]
    return f"isolated_http.answer({', '.join([quoted(route.method), route.path, *told])})"
