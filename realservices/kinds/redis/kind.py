"""What both sides know of Redis."""

from __future__ import annotations

from realservices.contract import owned_settings as owned
from realservices.contract.manifest_shapes import SETTINGS
from realservices.kinds.environment_names import ANALYTICS, AUTH, WEBSOCKET
from realservices.kinds.kind import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DATABASES = range(1, 65537)
"""How many a server may have: its table of 65536 takes some 10 MB."""


class _Redis(Kind):
    name = "redis"
    package = __package__
    title = "Redis"
    server = "server:Redis"
    isolated = "isolated:ISOLATED"
    pooled = "pooled:POOLED"
    has_worker_servers = True
    fixtures = ("fixtures",)
    client_modules = ("redis",)
    client_answers = ("redis.exceptions.DataError", "redis.exceptions.ResponseError", "redis.exceptions.WatchError")
    client_libraries = {"redis": "5.0.1"}
    resources = {"redis": (), "redis_bytes": ()}
    environments = frozenset({AUTH, WEBSOCKET, ANALYTICS})
    is_default = True
    hints = "hints:HINTS"
    validated = "validated:VALIDATED"
    trial = "trial:version_of"
    config = {"server": str, "databases": DATABASES, "settings": SETTINGS, "password?": bool}
    variables = {
        "TEST_REDIS_HOST": "host",
        "TEST_REDIS_PORT": "port",
        "TEST_REDIS_PASSWORD": "password",
        "REDIS_URL": "url",
    }
    fields = ("url", "host", "port", "password", "database", "socket")
    program_variable = "REALSERVICES_REDIS"
    program = "redis-server, a file"
    program_keys = ("server",)
    client_programs = {"redis-cli": "programs.redis_cli"}
    client_command = "redis-cli"
    client_remedy = "; the pinned Redis comes without it: install it (Debian and Ubuntu: redis-tools)"
    owned_settings = {
        "aclfile": owned.ACCOUNTS,
        "bind": owned.ADDRESS,
        "cluster-enabled": "a cluster has only one database, and tests are isolated by database",
        "daemonize": owned.PROCESS,
        "databases": "use `databases`, which stands beside the settings",
        "dir": owned.FILES,
        "include": owned.FILES,
        "logfile": owned.LOG,
        "pidfile": owned.PROCESS,
        "port": owned.ADDRESS,
        "protected-mode": owned.ADDRESS,
        "requirepass": owned.ACCOUNTS,
        "supervised": owned.PROCESS,
        "tls-port": owned.ADDRESS,
        "unixsocket": owned.ADDRESS,
        "unixsocketperm": owned.ADDRESS,
        "user": owned.ACCOUNTS,
    }

    def client_address(self, endpoint: Mapping[str, Any], env: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        where = ["-h", endpoint["host"], "-p", str(endpoint["port"])]
        return where, {**env, "REDISCLI_AUTH": endpoint["password"]}


KIND = _Redis()
