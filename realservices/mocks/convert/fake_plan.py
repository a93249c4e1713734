"""Fakes of libraries: `fakeredis` and engines on SQLite make way for the isolated fixtures, where they are made."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.scan_model import Form, Service

if TYPE_CHECKING:
    from realservices.mocks.convert.test_facts import Fake, FunctionEdits

_PLAIN = {"decode_responses", "connect_args", "poolclass", "echo", "future", "version", "encoding", "pool_pre_ping"}


def fixture_for(fake: Fake) -> str:
    """Return the fixture that stands for a fake.

    Raises:
        Unconvertible: The fake is of a kind, or made in a way, that none stands for.
    """
    use, call = fake.use, fake.node
    last = use.api.rpartition(".")[2]
    if (
        use.form is Form.FAKE_LIBRARY
        and use.service is Service.REDIS
        and isinstance(call, ast.Call)
        and "fakeredis" in use.api
    ):
        return _redis(use.api, call)
    if use.form is Form.SQLITE and isinstance(call, ast.Call) and last in ("create_engine", "create_async_engine"):
        _check_words(call, use.api)
        return "isolated_engine" if last == "create_engine" else "isolated_engine_async"
    raise Unconvertible(
        use.line, use.api, f"a fake of {use.service.value} stands there", "use the isolated fixture in its place"
    )


def plan_fake(fake: Fake, edits: FunctionEdits) -> str:
    """Put the fixture where the fake was made, and return its name.

    Raises:
        Unconvertible: See `fixture_for`; or what goes with it has no counterpart.
    """
    name = fixture_for(fake)
    text = ast.unparse(fake.function)
    if "PRAGMA" in text or "sqlite_" in text:
        raise Unconvertible(
            fake.use.line, fake.use.api, "it is told things that only SQLite knows", "remove them first"
        )
    edits.calls[fake.use.line, fake.use.column] = name
    if name not in edits.arguments:
        edits.arguments.append(name)
    for node in ast.walk(fake.function):
        if isinstance(node, ast.Expr) and ast.unparse(node).removeprefix("await ").endswith(".flushall()"):
            edits.removed.add(node.lineno)  # The database is the test's own, and empty.
    return name


def _redis(api: str, call: ast.Call) -> str:
    last = api.rpartition(".")[2]
    if last not in ("FakeRedis", "FakeStrictRedis", "FakeAsyncRedis", "FakeValkey"):
        raise Unconvertible(
            call.lineno,
            api,
            "a server of fakes that several clients share",
            "use isolated_redis, and its url for others",
        )
    _check_words(call, api)
    decode = any(word.arg == "decode_responses" and ast.unparse(word.value) == "True" for word in call.keywords)
    is_async = "aioredis" in api or "Async" in api
    return "isolated_redis" + ("" if decode else "_bytes") + ("" if is_async else "_sync")


def _check_words(call: ast.Call, api: str) -> None:
    unknown = [word.arg for word in call.keywords if word.arg not in _PLAIN]
    if unknown:
        raise Unconvertible(call.lineno, api, f"it is made with {unknown[0]}", "use the isolated fixture by hand")
