"""The pinned ClickHouse: which npm package, and what of it is kept."""

CLICKHOUSE = struct(
    # Name of the repositories (`realservices_clickhouse_<platform>`) and of the extension's tag.
    name = "clickhouse",
    package = "@chdb/lib-linux-x64-gnu",
    version = "26.7.3-stable.1",  # ClickHouse 26.7.2
    # As npm states it: SHA-512 in base 64. From this version on the engine opens its own HTTP and native listeners, and of its
    # packages only this one has such an engine.
    integrity = {
        "linux_x86_64": "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
    },
    keep = "libchdb.so",
    target = "server",
    # What the repository shows. The launcher tells a library from an executable by its name.
    output = "libchdb.so",
    programs = [],
    replaced_output = "clickhouse",
    replaced_library = "libchdb.so",
)
