"""Which ClickHouse engine is needed, and how to get it: the one of third_party/clickhouse/versions.bzl."""

from __future__ import annotations

PACKAGE = "@chdb/lib-linux-x64-gnu"
VERSION = "26.7.3-stable.1"
# Named, because npm's own choice is an older one: versions like ours are pre-releases to it.
INSTALL = f"npm pack {PACKAGE}@{VERSION}"
# The first whose engine opens listeners of its own, and that tells its version.
OLDEST = (26, 7)


def complaint_of(library: str, version: str) -> str:
    """Say why a library of this version cannot be used, or return "".

    Args:
        library: Its path.
        version: What it calls itself, "" where it does not.
    """
    numbers = tuple(int(part) if part.isdecimal() else 0 for part in version.split(".")[:2])
    if version and numbers >= OLDEST:
        return ""
    oldest = ".".join(map(str, OLDEST))
    return (
        f"{library} is ClickHouse's engine (chdb) {version or f'from before {oldest}'}, which has no HTTP and native "
        f"listeners of its own; {oldest} or later is needed. Get the libchdb.so of `{INSTALL}` and name that in "
        "REALSERVICES_CLICKHOUSE, or name a clickhouse program"
    )
