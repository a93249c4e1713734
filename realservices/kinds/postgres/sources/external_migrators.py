"""A project's migrators on an external server, in a fresh database of the session's, by the tool."""

from __future__ import annotations

import json
import subprocess
import tempfile
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from realservices.contract.errors import TemplateError
from realservices.sources.declared_migrators import migrate_spec
from realservices.sources.errors import SettingError
from realservices.sources.package import package_command
from realservices.system.own_environment import own_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from realservices.contract.runtime import Endpoint
    from realservices.sources.declarations import Declaration

# Of an endpoint, beside the database. There is no unix socket.
_FIELDS = ("host", "port", "user", "password", "sslmode", "sslrootcert")
_SOCKET = {"service": "", "field": "socket"}


def migrate_external(
    declaration: Declaration, endpoint: Endpoint, database: str, end_clients: Callable[[], None]
) -> None:
    """Run the migrators in order.

    Args:
        declaration: What declares them.
        endpoint: The server.
        database: The database to fill.
        end_clients: Ends the connections that one has left.

    Raises:
        TemplateError: One fails, or does not end in time.
        SettingError: A program is not there, or something refers to a socket.
    """
    spec = migrate_spec(declaration)
    _refuse_socket(declaration, spec)
    address = {
        **{field: str(getattr(endpoint, field)) for field in _FIELDS},
        "kind": "postgres",
        "database": database,
        "url": urlsplit(endpoint.url)._replace(path=f"/{quote(database, safe='')}").geturl(),
    }
    for migrator in spec.get("migrators", ()):
        with tempfile.TemporaryDirectory(prefix="realservices-migrator-", ignore_cleanup_errors=True) as directory:
            request = {
                "kind": "postgres", "endpoint": address, "directory": directory, "base": str(declaration.root),
                "env": spec["env"], "timeout_s": spec["timeout_s"], "migrator": migrator,
            }  # fmt: skip
            done = subprocess.run(
                package_command("migrator"), env=own_environment(), input=json.dumps(request), capture_output=True,
                text=True, errors="replace", check=False,
            )  # fmt: skip
        if done.returncode:
            raise TemplateError((done.stderr + done.stdout).strip())
        end_clients()


def _refuse_socket(declaration: Declaration, spec: dict[str, Any]) -> None:
    texts = {f"migrate_env {name}": parts for name, parts in spec.get("env", {}).items()}
    for migrator in spec.get("migrators", ()):
        texts |= {f"migrate {migrator['name']}": [part for parts in migrator["args"] for part in parts]}
    for where, parts in texts.items():
        if _SOCKET in parts:
            raise SettingError(
                f"{declaration.where}: {where}: $(socket): the server of TEST_POSTGRES_HOST is reached by TCP alone; "
                "write $(host) and $(port)"
            )
