"""A template for a file that a conversion leaves: what stands there, step by step, and what takes its place."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from realservices.mocks.scan_model import Service

if TYPE_CHECKING:
    from pathlib import Path

    from realservices.mocks.convert.conversion_results import FileResult
    from realservices.mocks.scan_model import TestFile

_FIXTURES = {
    Service.POSTGRES: "isolated_database, isolated_psycopg, isolated_session, … (docs/drivers.md)",
    Service.REDIS: "isolated_redis, isolated_redis_sync (docs/isolation.md)",
    Service.CLICKHOUSE: "isolated_clickhouse (docs/clickhouse.md)",
    Service.HTTP: "an environment with the service itself (docs/environments.md), or isolated_http (docs/external.md)",
    Service.WEBSOCKET: "websocket_integration_environment (docs/external.md)",
    Service.FILES: "filesystem, filesystem_sync (docs/external.md)",
    Service.LLM: "an llm_service with recorded answers (docs/external.md)",
}
_MARKERS = {
    Service.POSTGRES: "requires_postgres",
    Service.REDIS: "requires_redis",
    Service.CLICKHOUSE: "requires_clickhouse",
}
_TESTS = {
    Service.POSTGRES: """
@pytest.mark.requires_postgres
async def test_{name}(isolated_database):
    await isolated_database.execute("INSERT INTO … (…) VALUES ($1)", …)   # what the mock answered
    result = await …                                                      # the code under test, on the real connection
    row = await isolated_database.fetchrow("SELECT … FROM … WHERE …")     # what the assertion on the mock meant
    assert row is not None
""",
    Service.REDIS: """
@pytest.mark.requires_redis
async def test_{name}(isolated_redis):
    await isolated_redis.set("…", "…")                  # what the mock answered
    result = await …                                    # the code under test, on the real client
    assert await isolated_redis.get("…") == "…"         # what the assertion on the mock meant
""",
    Service.HTTP: """
def test_{name}(isolated_http, monkeypatch):
    monkeypatch.setattr("…", isolated_http.url)         # where the code has the API's address from
    isolated_http.answer("GET", "/…", json=…)           # what the mock answered
    result = …                                          # the code under test, by its real client
    assert isolated_http.requests[0].path == "/…"       # what the assertion on the mock meant
""",
    Service.FILES: """
def test_{name}(filesystem_sync, monkeypatch):
    monkeypatch.chdir(filesystem_sync.path())
    filesystem_sync.create_file("…", "…")               # what the mock answered
    result = …                                          # the code under test
    assert filesystem_sync.read_file("…") == "…"        # what it must have written
""",
}


def template_for(result: FileResult, scanned: TestFile) -> str:
    """Return the template of a file, as a Python file that nothing collects.

    Args:
        result: What became of it: the tests that are left, with the reasons.
        scanned: Its mocks.
    """
    leaving = [use for use in scanned.uses if not use.stays]
    counts = Counter(use.service for use in leaving)
    ordered = counts.most_common()
    lines = [
        f"# Migration template for {result.path.name}",
        f"# Mocks that are to go: {len(leaving)}, complexity: {scanned.complexity.value}",
        "#", "# What they stand for, and what takes their place:",
        *(f"#   {each.value} ({count}): {_FIXTURES.get(each, 'decide by hand')}" for each, count in ordered),
        "#", "# What a conversion could not do by itself:",
    ]  # fmt: skip
    for left in result.left:
        lines += [
            f"#   line {left.line}, {left.test}: {_one_line(left.what)}",
            f"#     {left.why}",
            f"#     → {left.remedy}",
        ]
    lines += ["", "import pytest", ""]
    for service in counts:
        if service in _TESTS:
            name = next((left.test.rpartition(".")[2].removeprefix("test_") for left in result.left), "example")
            lines.append(_TESTS[service].format(name=f"{name}_on_{service.value}"))
    return (
        "\n".join(
            f"# {line}" if line and not line.startswith(("#", "import")) else line
            for line in "\n".join(lines).split("\n")
        )
        + "\n"
    )


def template_name(path: Path, root: Path) -> str:
    """Return the name of a file's template: its path, in one word."""
    relative = path.relative_to(root) if path.is_relative_to(root) else path
    return "template_" + "_".join(relative.with_suffix("").parts) + ".py"


def _one_line(text: str) -> str:
    return " ".join(text.split())
