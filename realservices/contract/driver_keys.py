"""The keys of an environment that are clients of the same database as ``database``, with real commits.

With ``isolated_`` before them they are the names of fixtures.
"""

DRIVERS = ("psycopg", "psycopg_async", "psycopg2", "engine", "engine_async", "session", "session_async")
