"""How a project declares a PostgreSQL for plain pytest, and what names an external one."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from realservices.contract.runtime import Endpoint
from realservices.contract.shapes import NAME, Rule, is_text
from realservices.kinds.postgres.databases import TAKEN_DATABASES
from realservices.kinds.postgres.kind import KIND
from realservices.kinds.postgres.sources.external_tls import PREFER, SSLMODE, SSLROOTCERT, postgres_tls
from realservices.kinds.postgres.sources.external_tls import agreed as agreed_sslmode
from realservices.kinds.postgres.sources.lacking_extensions import lacking_extensions
from realservices.kinds.postgres.sources.programs import postgres_distribution
from realservices.kinds.postgres.sources.recipe import postgres_recipe
from realservices.schema.layouts import LAYOUTS
from realservices.sources.declaration_shapes import EVERY, FILES, MIGRATE, SETTINGS
from realservices.sources.errors import SettingError
from realservices.sources.external_address import account_in_url, host_in_url, label_of, port_from
from realservices.sources.templated import TemplatedKind

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from realservices.sources.declarations import Declaration
    from realservices.sources.recipe import Recipe

_LOCALE = Rule(
    'the name of a locale, as initdb takes it: "en_US.UTF-8", or "en-US" with locale_provider = "icu"',
    lambda value: is_text(value) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_.@-]*", value) is not None,
)


class _Postgres(TemplatedKind):
    kind = KIND
    keys = {
        "base?": str,
        "migrations?": FILES,
        "layout?": frozenset(LAYOUTS),
        "seeds?": FILES,
        "extensions?": [NAME],
        **MIGRATE,
        "settings?": SETTINGS,
        "locale?": _LOCALE,
        "locale_provider?": frozenset({"libc", "icu", "builtin"}),
        "database?": str,
        "user?": str,
        **EVERY,
    }
    program_key = "distribution"
    taken_users = ("pg_*",)
    taken_databases = TAKEN_DATABASES

    def check(self, declaration: Declaration) -> None:
        values = declaration.values
        if "layout" in values and not values.get("migrations"):
            raise SettingError(
                f"{declaration.where}: layout = {values['layout']!r} says whose files migrations are, and there are "
                'none: name them, migrations = ["db/migrations/*.sql"] for instance'
            )
        if "locale_provider" in values and "locale" not in values:
            raise SettingError(
                f"{declaration.where}: locale_provider = {values['locale_provider']!r} needs a key locale, which names "
                "one of the provider's locales"
            )

    def find_program(self) -> Path:
        return postgres_distribution()

    def recipe_with(self, program: Path, declaration: Declaration) -> Recipe:
        return postgres_recipe(declaration, program, *self.account(declaration))

    def lacking(self, declaration: Declaration, program: Path) -> Iterable[str]:
        return lacking_extensions(declaration, program)

    def external(self, name: str) -> Endpoint:
        host, port = os.environ["TEST_POSTGRES_HOST"], port_from("TEST_POSTGRES_PORT", 5432)
        user = os.environ.get("TEST_POSTGRES_USER") or "postgres"
        password = os.environ.get("TEST_POSTGRES_PASSWORD", "")
        database = os.environ.get("TEST_POSTGRES_DB") or user
        sslmode, sslrootcert = postgres_tls()
        given = {"sslmode": os.environ.get(SSLMODE), "sslrootcert": os.environ.get(SSLROOTCERT)}
        query = urlencode({key: value for key, value in given.items() if value})
        address = f"postgresql://{account_in_url(user, password)}{host_in_url(host)}:{port}/{quote(database, safe='')}"
        url = f"{address}?{query}" if query else address
        return Endpoint(
            name, KIND.name, label_of(KIND.name), host, port, password, url,
            user=user, database=database, ports={KIND.name: port}, disposable=False,
            sslmode=sslmode, sslrootcert=sslrootcert,
        )  # fmt: skip

    def agreed(self, endpoint: Endpoint, connection: socket.socket) -> Endpoint:
        if endpoint.sslmode != PREFER:
            return endpoint
        return dataclasses.replace(endpoint, sslmode=agreed_sslmode(connection))

    def fills(self, declaration: Declaration, endpoint: Endpoint) -> Callable[[str], None] | None:
        from realservices.kinds.postgres.sources.scripts import apply_scripts, has_scripts  # noqa: PLC0415 - most need none

        return functools.partial(apply_scripts, declaration, endpoint) if has_scripts(declaration) else None


DECLARED = _Postgres()
