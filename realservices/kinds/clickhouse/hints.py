"""By what `init` finds out that a project uses ClickHouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.cli.proposal.kind_hints import KindHints

if TYPE_CHECKING:
    from realservices.cli.proposal.project_evidence import Evidence
    from realservices.cli.proposal.proposed_toml import Proposal


class _ClickHouse(KindHints):
    images = ("clickhouse-server", "clickhouse")
    packages = (
        "clickhouse-connect", "clickhouse-driver", "clickhouse-sqlalchemy", "npm:@clickhouse/client",
        "go:github.com/ClickHouse/clickhouse-go", "cargo:clickhouse", "maven:com.clickhouse:clickhouse-jdbc",
    )  # fmt: skip
    service = "analytics"
    words = r"CLICKHOUSE|CH"
    schemes = ("clickhouse",)
    given = ("CLICKHOUSE_URL",)

    def target(self, proposal: Proposal, found: Evidence) -> str:
        return f'clickhouse_service(name = "{self.service}")'


HINTS = _ClickHouse()
