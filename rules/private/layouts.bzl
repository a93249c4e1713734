"""Tools whose migrations `postgres_service` can apply.

realservices/schema/layouts.py is the same for plain pytest; a test compares.
"""

LAYOUTS = [
    "db-migrate",
    "dbmate",
    "diesel",
    "flyway",
    "golang-migrate",
    "goose",
    "node-pg-migrate",
    "numbered",
    "plain",
    "postgrator",
    "refinery",
    "sql-migrate",
    "sqitch",
    "sqlx",
    "tern",
    "yoyo",
]
