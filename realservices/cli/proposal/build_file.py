"""What stands in MODULE.bazel and a BUILD file for the same services."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realservices.cli.proposal.declaration import Proposal
    from realservices.cli.proposal.evidence import Evidence

_TARGETS = {"redis": 'redis_service(name = "cache")', "clickhouse": 'clickhouse_service(name = "analytics")'}
_LABELS = {"postgres": ":db", "redis": ":cache", "clickhouse": ":analytics"}


def build_text(proposal: Proposal, found: Evidence) -> str:
    """Return the text of a BUILD file."""
    rules = ["real_service_test", *(f"{kind}_service" for kind in proposal.services)]
    blocks = [f'load("@rules_realservices//rules:defs.bzl", {", ".join(map(_quoted, sorted(rules)))})']
    blocks += service_blocks(proposal, found)
    services = ", ".join(_quoted(_LABELS[kind]) for kind in proposal.services)
    tests = '    srcs = glob(["tests/**/*_test.py", "tests/**/test_*.py"]),'
    blocks.append("\n".join(["real_service_test(", '    name = "tests",', tests, f"    services = [{services}],", ")"]))
    return "\n\n".join(blocks) + "\n"


def service_blocks(proposal: Proposal, found: Evidence) -> list[str]:
    """Return the targets of the services themselves."""
    blocks: list[str] = []
    if "postgres" in proposal.services:
        lines = ["postgres_service(", '    name = "db",']
        lines += [f'    migrations = glob(["{files.pattern}"]),' for files in found.sql]
        lines += [f"    {line}," for line in proposal.services["postgres"] if line.startswith("layout")]
        if found.has_django or found.alembic:
            lines.append('    migrate = [":migrate"],  # a program that runs the migrations: docs/migrators.md')
        blocks.append("\n".join([*lines, ")"]))
    return blocks + [_TARGETS[kind] for kind in proposal.services if kind in _TARGETS]


def _quoted(text: str) -> str:
    return f'"{text}"'
