"""What tests need that start launchers of their own."""

# In `data`, because the launchers under test are given them by the test, not by Bazel.
BINARIES = [
    "//tests/launcher:db",
    "//third_party/postgres:distribution",
    "//third_party/redis:server",
]

# In `env`: read by tests/host/places.py and tests/launcher/template.py.
BINARY_PATHS = {
    "POSTGRES_DISTRIBUTION": "$(rlocationpath //third_party/postgres:distribution)",
    "POSTGRES_TEMPLATE": "$(rlocationpaths //tests/launcher:db)",
    "REDIS_SERVER": "$(rlocationpath //third_party/redis:server)",
}
