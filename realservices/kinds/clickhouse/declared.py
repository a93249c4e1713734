"""How a project declares a ClickHouse for plain pytest, where one is on this machine, and what names one of others."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from realservices.contract.runtime import Endpoint
from realservices.kinds.clickhouse.engine import INSTALL
from realservices.kinds.clickhouse.kind import KIND
from realservices.sources.declaration_shapes import EVERY, FILES, MIGRATE, SETTINGS
from realservices.sources.declared_kind import texts
from realservices.sources.errors import MissingServiceError, SettingError
from realservices.sources.external_address import account_in_url, host_in_url, label_of, port_from
from realservices.sources.missing import explain_uninstalled
from realservices.sources.templated import TemplatedKind

if TYPE_CHECKING:
    from realservices.sources.declarations import Declaration

_VARIABLE = KIND.program_variable
_PROGRAM = f"a clickhouse program, or the libchdb.so of `{INSTALL}`,"


class _ClickHouse(TemplatedKind):
    kind = KIND
    keys = {
        "schema?": FILES,
        **MIGRATE,
        "seeds?": FILES,
        "settings?": SETTINGS,
        "server_settings?": SETTINGS,
        "local_dictionaries?": bool,
        "database?": str,
        "user?": str,
        **EVERY,
    }
    files = {"schema": "--schema", "seeds": "--seed"}
    settings = {"settings": "--setting", "server_settings": "--server-setting"}
    taken_users = ("default",)
    taken_databases = ("default", "information_schema", "system", "realservices_*")

    def find_program(self) -> Path:
        return clickhouse_server()

    def more_config(self, declaration: Declaration) -> dict[str, Any]:
        return {
            "server_settings": texts(declaration.values.get("server_settings", {})),
            "local_dictionaries": declaration.values.get("local_dictionaries", False),
        }

    def external(self, name: str) -> Endpoint:
        host = os.environ["TEST_CLICKHOUSE_HOST"]
        ports = {
            "http": port_from("TEST_CLICKHOUSE_HTTP_PORT", 8123),
            "tcp": port_from("TEST_CLICKHOUSE_TCP_PORT", 9000),
        }
        user = os.environ.get("TEST_CLICKHOUSE_USER") or "default"
        password = os.environ.get("TEST_CLICKHOUSE_PASSWORD", "")
        database = os.environ.get("TEST_CLICKHOUSE_DB") or "default"
        url = f"http://{account_in_url(user, password)}{host_in_url(host)}:{ports['http']}/{quote(database, safe='')}"
        return Endpoint(
            name, KIND.name, label_of(KIND.name), host, ports["http"], password, url,
            user=user, database=database, ports=ports, disposable=False,
        )  # fmt: skip


def clickhouse_server() -> Path:
    """Return a libchdb.so with listeners of its own, or a clickhouse program.

    Raises:
        SettingError: The environment names something that is neither.
        MissingServiceError: There is none.
    """
    named = os.environ.get(_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise SettingError(
                f"{_VARIABLE}={named}: there is no such file; name the libchdb.so of `{INSTALL}`, or a "
                "clickhouse program"
            )
        return Path(named)
    own = shutil.which("clickhouse") or shutil.which("clickhouse-server")
    if own:
        return Path(own)
    raise MissingServiceError(KIND.name, explain_uninstalled(KIND.name, _VARIABLE, _PROGRAM, has_extra=False))


DECLARED = _ClickHouse()
