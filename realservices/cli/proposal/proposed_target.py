"""What stands in MODULE.bazel and a BUILD file for the same services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.cli.proposal.kind_hints import kind_hints

if TYPE_CHECKING:
    from collections.abc import Iterable

    from realservices.cli.proposal.proposed_toml import Proposal


def build_text(proposal: Proposal) -> str:
    """Return the text of a BUILD file."""
    rules = ["real_service_test", *(f"{kind}_service" for kind in proposal.services)]
    blocks = [f'load("@rules_realservices//rules:defs.bzl", {", ".join(map(_quoted, sorted(rules)))})']
    blocks += service_blocks(proposal)
    services = ", ".join(_quoted(f":{kind_hints(kind).service}") for kind in proposal.services)
    tests = '    srcs = glob(["tests/**/*_test.py", "tests/**/test_*.py"]),'
    blocks.append("\n".join(["real_service_test(", '    name = "tests",', tests, f"    services = [{services}],", ")"]))
    return "\n\n".join(blocks) + "\n"


def service_blocks(proposal: Proposal) -> list[str]:
    """Return the targets of the services themselves."""
    return [_target(kind, lines) for kind, lines in proposal.services.items()]


def _target(kind: str, lines: Iterable[str]) -> str:
    """Return a service's target, of the lines of its declaration."""
    hints = kind_hints(kind)
    attributes = []
    for key, _, value in (line.partition(" = ") for line in lines):
        if key == hints.schema_key:
            attributes.append(f"{key} = glob({value}),")
        elif key in ("layout", "seeds"):
            attributes.append(f"{key} = {value},")
        elif key == "migrate":
            attributes.append('migrate = [":migrate"],  # a program that runs the migrations: docs/migrators.md')
    if not attributes:
        return f"{kind}_service(name = {_quoted(hints.service)})"
    return "\n    ".join([f"{kind}_service(", f"name = {_quoted(hints.service)},", *attributes]) + "\n)"


def _quoted(text: str) -> str:
    return f'"{text}"'
