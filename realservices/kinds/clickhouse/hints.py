"""By what `init` finds out that a project uses ClickHouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.cli.proposal.kind_hints import KindHints
from realservices.cli.proposal.proposed_schema import add_migrators_environment, add_schema_of
from realservices.kinds.clickhouse.kind import KIND

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
    migrators_names = "CLICKHOUSE_URL and TEST_CLICKHOUSE_*"
    migrated = 3
    schema_key = "schema"
    page = "docs/clickhouse.md"
    sql_folders = r"clickhouse"
    sql_words = r"\bENGINE\s*=\s*\w*(?:MergeTree|Log|Memory|Distributed|Kafka|Null|Buffer|Join|Set)\b"

    def add_schema(self, proposal: Proposal, found: Evidence) -> None:
        add_schema_of(proposal, found, KIND.name, self)

    def add_environment(self, proposal: Proposal, found: Evidence) -> None:
        if proposal.migrated == KIND.name:
            add_migrators_environment(proposal, found, KIND.name, self)


HINTS = _ClickHouse()
