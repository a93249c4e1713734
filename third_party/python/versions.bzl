"""Which CPython versions the lock covers, and which distributions a user may replace."""

# Compiled distributions of requirements.lock have wheels for each of these.
PYTHON_VERSIONS = [
    "3.11",
    "3.12",
    "3.13",
    "3.14",
]

def python_repository(version = ""):
    """Names the repository of the distributions for a CPython version; without one, for the machine's python3."""
    return "realservices_python" + ("_" + version.replace(".", "_") if version else "")

# Each has a label_flag `//third_party/python:<name>`. Distributions that depend on one of them take it through the flag, so that a
# test never sees two copies.
REPLACEABLE = [
    "asyncpg",
    "clickhouse_connect",
    "coverage",
    "httpx",
    "psutil",
    "pytest",
    "pytest_asyncio",
    "pytest_xdist",
    "redis",
    "websockets",
]
