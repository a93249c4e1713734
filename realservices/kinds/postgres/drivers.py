"""The keys of an environment that are clients of the same database as ``database``, with real commits.

With ``isolated_`` before them they are the names of fixtures.
"""

DRIVERS = {
    "psycopg": ("psycopg",),
    "psycopg_async": ("psycopg",),
    "psycopg2": ("psycopg2",),
    "engine": ("sqlalchemy",),
    "engine_async": ("sqlalchemy", "greenlet"),
    "session": ("sqlalchemy",),
    "session_async": ("sqlalchemy", "greenlet"),
}
"""The packages that each needs."""
