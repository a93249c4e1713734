"""Which CPython versions the lock covers, and which distributions a user may replace."""

# Compiled distributions of requirements.lock have wheels for each of these.
PYTHON_VERSIONS = [
    "3.11",
    "3.12",
    "3.13",
    "3.14",
]

# Each has a label_flag `//third_party/python:<name>`. Distributions that depend on one of them take it through the flag, so that a
# test never sees two copies.
REPLACEABLE = [
    "asyncpg",
    "clickhouse_connect",
    "filelock",
    "httpx",
    "psutil",
    "pytest",
    "pytest_asyncio",
    "pytest_xdist",
    "redis",
    "websockets",
]
