"""The layouts of migrations that there are. rules/private/layouts.bzl is the same for Bazel; a test compares."""

from __future__ import annotations

LAYOUTS = (
    "db-migrate", "dbmate", "diesel", "flyway", "golang-migrate", "goose", "node-pg-migrate", "numbered", "plain",
    "postgrator", "refinery", "sql-migrate", "sqitch", "sqlx", "tern", "yoyo",
)  # fmt: skip
"""``plain``: every file whole, in the order given, whatever it holds; ``numbered``: whole, by number."""
