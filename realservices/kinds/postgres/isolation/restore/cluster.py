"""What belongs to the whole server and not to one database: roles, settings, databases, tablespaces, slots.

A test that leaves some would spoil the tests after it, whichever database these have. So it is found after the test and
undone; what cannot be undone is named.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import asyncpg

from realservices.kinds.postgres.databases import TEMPLATE_DATABASE
from realservices.kinds.postgres.isolation.administration import quote_identifier
from realservices.kinds.postgres.isolation.restore.cluster_undo import Undo
from realservices.kinds.postgres.isolation.restore.pristine import RESTORER

if TYPE_CHECKING:
    from realservices.kinds.postgres.isolation.administration import Administration

# Databases that fixtures made. What they are made from counts as others do: DROP OWNED and REASSIGN OWNED reach it.
_OURS = f"(datname ~ '^realservices_' AND datname <> '{TEMPLATE_DATABASE}')"
_END_WAITING = f"""SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE {_OURS} AND backend_type = 'client backend' AND application_name IS DISTINCT FROM $1"""
# The database that the test had counts as ``own``, whatever its name, and has to be as the pristine copy is.
_OWN = "CASE WHEN pg_database.oid = $1 THEN 'own' ELSE pg_database.oid::text END"
_STATE = f"""WITH part (section, key, value) AS (
    SELECT 'role', oid::text, to_jsonb(r) - 'oid' FROM pg_authid AS r WHERE rolname !~ '^pg_'
    UNION ALL SELECT 'membership', format('%s %s %s', roleid, member, grantor), to_jsonb(m) - 'oid'
        || jsonb_build_object('role', pg_get_userbyid(roleid), 'of', pg_get_userbyid(member)) FROM pg_auth_members AS m
    UNION ALL SELECT 'setting', format('%s %s', coalesce({_OWN}, '0'), setrole), to_jsonb(setconfig)
        FROM pg_db_role_setting LEFT JOIN pg_database ON pg_database.oid = setdatabase
        WHERE setdatabase = 0 OR NOT {_OURS} OR pg_database.oid = $1
    UNION ALL SELECT 'database', {_OWN}, jsonb_build_object('name', CASE WHEN oid = $1 THEN '' ELSE datname END,
            'owner', pg_get_userbyid(datdba), 'limit', datconnlimit, 'is_open', datallowconn,
            'is_template', datistemplate, 'acl', datacl::text)
        FROM pg_database WHERE NOT {_OURS} OR oid = $1
    UNION ALL SELECT 'tablespace', oid::text, to_jsonb(s) - 'oid' FROM pg_tablespace AS s
    UNION ALL SELECT 'replication slot', slot_name, '{{}}' FROM pg_replication_slots WHERE NOT temporary
    UNION ALL SELECT 'replication origin', roname, '{{}}' FROM pg_replication_origin
    UNION ALL SELECT 'subscription', subname, '{{}}' FROM pg_subscription
    UNION ALL SELECT 'parameter privilege', parname, to_jsonb(paracl::text) FROM pg_parameter_acl
    UNION ALL SELECT 'comment', format('%s %s', classoid, objoid), to_jsonb(description)
        FROM pg_shdescription WHERE NOT (classoid = 'pg_database'::regclass
            AND objoid IN (SELECT oid FROM pg_database WHERE {_OURS} AND oid <> $1))
    UNION ALL SELECT 'server setting', name, to_jsonb(setting)
        FROM pg_file_settings WHERE sourcefile ~ '/postgresql\\.auto\\.conf$')
    SELECT section, key, value::text FROM part"""
_PRISTINE = "SELECT oid FROM pg_database WHERE datname = $1"
SIGNS = f"""(SELECT concat_ws(' ',
        (SELECT string_agg(concat_ws(' ', datname, datallowconn, datconnlimit, datdba, datistemplate, datacl),
            ' ' ORDER BY oid)
            FROM pg_database WHERE NOT {_OURS}),
        (SELECT string_agg(concat_ws(' ', datallowconn, datconnlimit, datdba, datistemplate, datacl), ' ')
            FROM pg_database WHERE oid = $2),
        (SELECT string_agg(slot_name, ' ' ORDER BY slot_name) FROM pg_get_replication_slots() WHERE NOT temporary),
        md5(pg_read_file('postgresql.auto.conf', true))))"""
"""A text that is another one when something was changed that the write-ahead log does not tell apart."""
IGNORED_FILES = (1262, 2671, 2672, 1214, 1232, 1233)
"""Files of pg_database, pg_shdepend and their indexes, where clones are noted; the signs tell what tests change."""
_WHAT = {"setting": "a setting of role or database", "server setting": "ALTER SYSTEM", "comment": "a comment on"}
_OWN_KEY = "own"
_ATTEMPTS = 2  # What something else hung on goes at the second one.
_MOST_LOOKS = 1000
Key = tuple[str, str]
"""Section and name of something of the server."""
State = dict[Key, Any]


class ClusterState:
    """What the server as a whole was like before the first test.

    Args:
        administration: To a database that tests do not have, as a superuser.
    """

    def __init__(self, administration: Administration) -> None:
        self._administration = administration
        self._before: State = {}
        self._pristine = 0
        self._left: set[Key] = set()

    async def take(self, pristine_name: str) -> None:
        """Remember the present.

        Args:
            pristine_name: Name of the database that each test's own has to be like.
        """
        ((self._pristine,),) = await self._administration.fetch(_PRISTINE, pristine_name)
        self._before = await self._state(self._pristine)

    async def look(self) -> State:
        """Return the present, to `accept` what changes from here on."""
        return await self._state(self._pristine)

    async def accept(self, since: State) -> set[Key]:
        """Leave from now on what has changed, and return that.

        Another process's test may have changed it meanwhile. Then that process undoes it, and it must not come back.

        Args:
            since: What `look` has returned.
        """
        now = await self._state(self._pristine)
        changed = _differing(since, now)
        self.leave(changed)
        return changed

    def leave(self, keys: set[Key]) -> None:
        """Leave from now on what somebody has changed on purpose, whatever becomes of it."""
        self._left |= keys
        for key in keys:
            self._before.pop(key, None)

    async def restore(self, database: int | None) -> list[str]:
        """Undo what has changed; return what could not be undone, in words, and take it for given from now on.

        Args:
            database: Object id of the test's own, if that is still there.
        """
        gone = {key for key in self._before if database is None and key[1].split(" ")[0] == _OWN_KEY}
        before = {key: value for key, value in self._before.items() if key not in gone}
        for _ in range(_ATTEMPTS):
            now = await self._state(database)
            before = _renumbered(before, now)
            if now == before:
                return []
            undo = Undo(before, now, await self._name(database))
            for statement in undo.statements():
                await self._attempt(statement)
            if undo.reloads:
                await self._reload()
        now = await self._state(database)
        left = [_describe(key, before, now) for key in sorted(_differing(before, now))]
        self._before = now | {key: self._before[key] for key in gone}
        return left

    async def _state(self, database: int | None) -> State:
        rows = await self._administration.fetch(_STATE, database or 0)
        state = {(row["section"], row["key"]): json.loads(row["value"]) for row in rows}
        for key in self._left:
            state.pop(key, None)
        return state

    async def _name(self, database: int | None) -> str:
        rows = await self._administration.fetch("SELECT datname FROM pg_database WHERE oid = $1", database or 0)
        return quote_identifier(rows[0][0]) if rows else ""

    async def _attempt(self, statement: str) -> None:
        try:
            await self._administration.execute(statement)
        except asyncpg.PostgresError:
            return  # Told by what is left.

    async def _reload(self) -> None:
        """Have the postmaster read its configuration, and wait until it has: it signals backends only after that.

        Twice, because the first signal may belong to a reload that the test has requested. Sessions that wait for a
        test may be told later than it begins, so they are ended.
        """
        for _ in range(2):
            ((asked,),) = await self._administration.fetch("SELECT clock_timestamp() FROM pg_reload_conf()")
            for _ in range(_MOST_LOOKS):
                ((loaded,),) = await self._administration.fetch("SELECT pg_conf_load_time() FROM pg_sleep(0.001)")
                if loaded >= asked:
                    break
        await self._administration.fetch(_END_WAITING, RESTORER)


def _renumbered(before: State, now: State) -> State:
    """Return what was there with the object ids of now, for databases that were made anew.

    That is done to one that servers use, by whichever process finds its schema changed.
    """
    present = {value["name"]: key[1] for key, value in now.items() if key[0] == "database" and key[1] != _OWN_KEY}
    numbers = {
        key[1]: present[value["name"]]
        for key, value in before.items()
        if key[0] == "database" and key not in now and value["name"] in present
    }
    renumbered: State = {}
    for (section, name), value in before.items():
        first, *rest = name.split(" ")
        is_of_database = section in ("database", "setting") and first in numbers
        renumbered[section, " ".join([numbers[first], *rest]) if is_of_database else name] = value
    return renumbered


def _differing(before: State, now: State) -> set[tuple[str, str]]:
    return {key for key in before.keys() | now.keys() if before.get(key) != now.get(key)}


def _describe(key: tuple[str, str], before: State, now: State) -> str:
    section, name = key
    value = now.get(key, before.get(key))
    shown = (
        value.get("rolname") or value.get("name") or value.get("spcname") or name if isinstance(value, dict) else name
    )
    verb = "changed" if key in before and key in now else "created" if key in now else "removed"
    return f"{_WHAT.get(section, section)} {shown!r} ({verb})"
