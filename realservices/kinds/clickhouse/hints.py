"""By what `init` finds out that a project uses ClickHouse."""

from __future__ import annotations

from realservices.cli.proposal.kind_hints import KindHints


class _ClickHouse(KindHints):
    images = ("clickhouse-server", "clickhouse")
    packages = (
        "clickhouse-connect", "clickhouse-driver", "clickhouse-sqlalchemy", "npm:@clickhouse/client",
        "go:github.com/ClickHouse/clickhouse-go", "cargo:clickhouse", "maven:com.clickhouse:clickhouse-jdbc",
    )  # fmt: skip
    rule = "clickhouse_service"
    service = "analytics"
    words = r"CLICKHOUSE|CH"
    schemes = ("clickhouse",)
    given = ("CLICKHOUSE_URL",)


HINTS = _ClickHouse()
