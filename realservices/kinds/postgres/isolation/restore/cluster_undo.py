"""The statements that undo what a test has left in a server as a whole.

Objects are identified by object id, so that one that was renamed is known again. A changed object gets all that it had.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from realservices.kinds.postgres.isolation.administration import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realservices.kinds.postgres.isolation.restore.cluster import State

# What was there is written back as rows: there is no statement for some of it (a password without an expiry again, the
# same object id, a list's value).
_ROWS = "SET allow_system_table_mods = on; "
_FIRST_OF_USERS = 16384  # Object ids below are PostgreSQL's own, on which nothing is noted as dependent.


class Undo:
    """What has to be done.

    Attributes:
        reloads: The server has to read its configuration again.

    Args:
        before: By section and object, what was there.
        now: What is there.
        own: Quoted name of the test's own database, whose object id in both is ``own``.
    """

    def __init__(self, before: State, now: State, own: str) -> None:
        self._before = before
        self._now = now
        self._own = own
        self.reloads = any(key[0] == "server setting" for key in self._changed())

    def statements(self) -> Iterator[str]:
        """Yield them: what depends on other things first."""
        yield from self._of("replication slot", lambda name: f"SELECT pg_drop_replication_slot({_literal(name)})")
        yield from self._of("replication origin", lambda name: f"SELECT pg_replication_origin_drop({_literal(name)})")
        yield from self._of("parameter privilege", _drop_privilege)
        yield from self._comments()
        yield from self._databases()
        yield from self._memberships()
        yield from self._roles()
        yield from self._settings()
        yield from self._tablespaces()
        yield from self._server_settings()

    def _changed(self) -> list[tuple[str, str]]:
        keys = self._before.keys() | self._now.keys()
        return sorted(key for key in keys if self._before.get(key) != self._now.get(key))

    def _keys(self, section: str) -> list[tuple[str, str]]:
        return [key for key in self._changed() if key[0] == section]

    def _of(self, section: str, drop: Any) -> Iterator[str]:
        for key in self._keys(section):
            if key not in self._before:
                yield drop(key[1])

    def _comments(self) -> Iterator[str]:
        for key in self._keys("comment"):
            kind, oid = key[1].split(" ")
            yield f"{_ROWS}DELETE FROM pg_shdescription WHERE classoid = {kind} AND objoid = {oid}"
            if key in self._before:
                yield f"{_ROWS}INSERT INTO pg_shdescription VALUES ({oid}, {kind}, {_literal(self._before[key])})"

    def _databases(self) -> Iterator[str]:
        for key in self._keys("database"):
            if key not in self._before:
                name = quote_identifier(self._now[key]["name"])
                if self._now[key]["is_template"]:
                    yield f"ALTER DATABASE {name} IS_TEMPLATE false"
                yield f"DROP DATABASE {name} WITH (FORCE)"
            elif key in self._now:
                was, now = self._before[key], self._now[key]
                name = self._own if key[1] == "own" else quote_identifier(was["name"])
                yield (
                    f"{_ROWS}UPDATE pg_database SET datname = {_literal(_unquoted(name))}, "
                    f"datconnlimit = {was['limit']}, datallowconn = {was['is_open']}, "
                    f"datistemplate = {was['is_template']}, datacl = {_literal(was['acl'])}::aclitem[] "
                    f"WHERE datname = {_literal(now['name'] or _unquoted(name))}"
                )
                if was["acl"] != now["acl"]:
                    where = f"datname = {_literal(_unquoted(name))}"
                    yield _privileges_of_roles("pg_database", where, "datdba", "datacl")
                if was["owner"] != now["owner"]:
                    yield f"ALTER DATABASE {name} OWNER TO {quote_identifier(was['owner'])}"

    def _memberships(self) -> Iterator[str]:
        for key in self._keys("membership"):
            if (now := self._now.get(key)) is not None:
                yield f"REVOKE {quote_identifier(now['role'])} FROM {quote_identifier(now['of'])} CASCADE"
        for key in self._keys("membership"):
            if (was := self._before.get(key)) is not None:
                options = [
                    f"{name.removesuffix('_option')} {was[name]}" for name in sorted(was) if name.endswith("_option")
                ]
                of = f"{quote_identifier(was['role'])} TO {quote_identifier(was['of'])}"
                if len(options) > 1:  # From PostgreSQL 16 on.
                    yield f"GRANT {of} WITH {', '.join(options)}"
                else:
                    yield f"GRANT {of}" + (" WITH ADMIN OPTION" if was["admin_option"] else "")

    def _roles(self) -> Iterator[str]:
        keys = self._keys("role")
        for key in keys:
            if key not in self._before:
                name = quote_identifier(self._now[key]["rolname"])
                yield f"DROP OWNED BY {name}"
                yield f"DROP ROLE {name}"
        for key in keys:
            was, now = self._before.get(key), self._now.get(key)
            if was is None:
                continue
            if now is None:
                yield f"{_ROWS}INSERT INTO pg_authid SELECT (was).* FROM {_row('pg_authid', key[1], was)} AS was"
            else:
                yield _written_back("pg_authid", key[1], was)

    def _tablespaces(self) -> Iterator[str]:
        for key in self._keys("tablespace"):
            was, now = self._before.get(key), self._now.get(key)
            if was is None:
                yield f"DROP TABLESPACE {quote_identifier(self._now[key]['spcname'])}"
            elif now is not None:
                yield _written_back("pg_tablespace", key[1], was)
                yield _privileges_of_roles("pg_tablespace", f"oid = {key[1]}", "spcowner", "spcacl")

    def _settings(self) -> Iterator[str]:
        for key in self._keys("setting"):
            database, role = key[1].split(" ")
            where = f"(SELECT oid FROM pg_database WHERE datname = {_literal(_unquoted(self._own))})"
            oid = where if database == "own" else database
            yield (f"{_ROWS}DELETE FROM pg_db_role_setting WHERE setdatabase = {oid} AND setrole = {role}")
            if key in self._before:
                values = ", ".join(map(_literal, self._before[key]))
                yield (
                    f"{_ROWS}INSERT INTO pg_db_role_setting (setdatabase, setrole, setconfig) "
                    f"SELECT {oid}, {role}, ARRAY[{values}]"
                )

    def _server_settings(self) -> Iterator[str]:
        for key in self._keys("server setting"):
            name = ".".join(map(quote_identifier, key[1].split(".")))
            if key in self._before:
                yield f"ALTER SYSTEM SET {name} TO {_literal(str(self._before[key]))}"
            else:
                yield f"ALTER SYSTEM RESET {name}"


def _row(catalog: str, oid: str, was: dict[str, Any]) -> str:
    return f"jsonb_populate_record(NULL::{catalog}, {_literal(json.dumps(was | {'oid': int(oid)}))})"


def _written_back(catalog: str, oid: str, was: dict[str, Any]) -> str:
    values = ", ".join(f"was.{column}" for column in was)
    return (
        f"{_ROWS}UPDATE {catalog} AS now SET ({', '.join(was)}) = ROW ({values}) FROM {_row(catalog, oid, was)} AS was "
        "WHERE now.oid = was.oid"
    )


def _privileges_of_roles(catalog: str, where: str, owner: str, acl: str) -> str:
    """Return what has a catalog of dependencies say of which roles an object's privileges are now.

    Where it says more, a role cannot be dropped.
    """
    return (
        f"{_ROWS}DELETE FROM pg_shdepend WHERE dbid = 0 AND deptype = 'a' AND classid = '{catalog}'::regclass "
        f"AND objid = (SELECT oid FROM {catalog} WHERE {where}); "
        "INSERT INTO pg_shdepend SELECT DISTINCT 0, one.tableoid, one.oid, 0, 'pg_authid'::regclass, role, "
        f"'a'::\"char\" FROM {catalog} AS one, aclexplode({acl}), unnest(ARRAY[grantee, grantor]) AS role "
        f"WHERE {where} AND role >= {_FIRST_OF_USERS} AND role <> {owner}"
    )


def _drop_privilege(name: str) -> str:
    found = f"(SELECT oid FROM pg_parameter_acl WHERE parname = {_literal(name)})"
    depends = f"DELETE FROM pg_shdepend WHERE classid = 'pg_parameter_acl'::regclass AND objid = {found}"
    return f"{_ROWS}{depends}; DELETE FROM pg_parameter_acl WHERE parname = {_literal(name)}"


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"')
