"""The kinds of services: one folder for each, with all that is particular to it. Nothing else knows their names."""

NAMES = ("clickhouse", "executable", "mariadb", "postgres", "redis")
"""The folders. To list them would take longer in an archive than to read this."""
