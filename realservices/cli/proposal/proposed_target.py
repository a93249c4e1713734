"""What stands in MODULE.bazel and a BUILD file for the same services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.cli.proposal.kind_hints import kind_hints

if TYPE_CHECKING:
    from realservices.cli.proposal.project_evidence import Evidence
    from realservices.cli.proposal.proposed_toml import Proposal


def build_text(proposal: Proposal, found: Evidence) -> str:
    """Return the text of a BUILD file."""
    rules = ["real_service_test", *(f"{kind}_service" for kind in proposal.services)]
    blocks = [f'load("@rules_realservices//rules:defs.bzl", {", ".join(map(_quoted, sorted(rules)))})']
    blocks += service_blocks(proposal, found)
    services = ", ".join(_quoted(f":{kind_hints(kind).service}") for kind in proposal.services)
    tests = '    srcs = glob(["tests/**/*_test.py", "tests/**/test_*.py"]),'
    blocks.append("\n".join(["real_service_test(", '    name = "tests",', tests, f"    services = [{services}],", ")"]))
    return "\n\n".join(blocks) + "\n"


def service_blocks(proposal: Proposal, found: Evidence) -> list[str]:
    """Return the targets of the services themselves."""
    return [kind_hints(kind).target(proposal, found) for kind in proposal.services]


def _quoted(text: str) -> str:
    return f'"{text}"'
