"""How a project declares a MariaDB for plain pytest, where one is on this machine, and what names one of others."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import quote

from realservices.contract.runtime import Endpoint
from realservices.kinds.mariadb.kind import KIND
from realservices.kinds.mariadb.names import SYSTEM_DATABASES
from realservices.sources.declaration_shapes import EVERY, FILES, MIGRATE, SETTINGS
from realservices.sources.errors import MissingServiceError
from realservices.sources.external_address import account_in_url, host_in_url, label_of, port_from
from realservices.sources.missing import explain_uninstalled
from realservices.sources.programs import is_program, named_program, new_enough
from realservices.sources.templated import TemplatedKind

_VARIABLE = KIND.program_variable
_OLDEST = 10
# Debian has it where only root's PATH leads.
_PLACES = ("/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd")


class _MariaDB(TemplatedKind):
    kind = KIND
    keys = {
        "migrations?": FILES,
        **MIGRATE,
        "seeds?": FILES,
        "settings?": SETTINGS,
        "database?": str,
        "user?": str,
        **EVERY,
    }
    files = {"migrations": "--migration", "seeds": "--seed"}
    taken_users = ("root",)
    taken_databases = (*SYSTEM_DATABASES, "realservices_*")

    def find_program(self) -> Path:
        return mariadb_server()

    def external(self, name: str) -> Endpoint:
        host, port = os.environ["TEST_MARIADB_HOST"], port_from("TEST_MARIADB_PORT", 3306)
        user = os.environ.get("TEST_MARIADB_USER") or "root"
        password = os.environ.get("TEST_MARIADB_PASSWORD", "")
        database = os.environ.get("TEST_MARIADB_DB") or "test"
        url = f"mysql://{account_in_url(user, password)}{host_in_url(host)}:{port}/{quote(database, safe='')}"
        return Endpoint(
            name, KIND.name, label_of(KIND.name), host, port, password, url,
            user=user, database=database, ports={KIND.name: port}, disposable=False,
        )  # fmt: skip


def mariadb_server() -> Path:
    """Return a mariadbd, whose client and files of its own lie where its package puts them.

    Raises:
        SettingError: The environment names something that is none, or too old.
        MissingServiceError: There is none.
    """
    named = named_program(_VARIABLE, "mariadbd")
    if named:
        return _new_enough(named, f"{_VARIABLE}={named}")
    own = shutil.which("mariadbd") or next((place for place in _PLACES if is_program(Path(place))), None)
    if own:
        return _new_enough(Path(own), own)
    raise MissingServiceError(KIND.name, explain_uninstalled(KIND.name, _VARIABLE, "a mariadbd", has_extra=False))


def _new_enough(program: Path, shown: str) -> Path:
    return new_enough(program, shown, pattern=r"Ver (\d+)\.\d+\.\d+-MariaDB", oldest=_OLDEST, variable=_VARIABLE)


DECLARED = _MariaDB()
