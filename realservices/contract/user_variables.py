"""The environment variables by which a user changes how all of this works; docs/environment_variables.md says how.

Each is read in one place, which has its name from here. Those of a kind, such as REALSERVICES_POSTGRES, are in its
kinds/*/kind.py; those that a launcher sets for a test are in environment.py.
"""

from __future__ import annotations

CACHE_MB = "REALSERVICES_CACHE_MB"
DISCOVERY_DIR = "REALSERVICES_DISCOVERY_DIR"
EAGER = "REALSERVICES_EAGER"
LOGS = "REALSERVICES_LOGS"
PORT_RANGE = "REALSERVICES_PORT_RANGE"
RECORD_DURATIONS = "REALSERVICES_RECORD_DURATIONS"
REGISTRY = "REALSERVICES_REGISTRY"
REQUIRE = "REALSERVICES_REQUIRE"
TEMPLATE_CACHE_MB = "REALSERVICES_TEMPLATE_CACHE_MB"
WARM = "REALSERVICES_WARM"

USER_VARIABLES = (
    CACHE_MB,
    DISCOVERY_DIR,
    EAGER,
    LOGS,
    PORT_RANGE,
    RECORD_DURATIONS,
    REGISTRY,
    REQUIRE,
    TEMPLATE_CACHE_MB,
    WARM,
)
"""All of them. None holds a secret."""
