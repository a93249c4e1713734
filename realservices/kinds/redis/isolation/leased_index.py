"""The database index of a test process on an external Redis server, leased by agreement among all sessions.

The agreement lies on the server itself, in its database 0: a key `realservices:lease:N` says that database N is leased,
and which process holds it. The key expires soon; a thread renews it for as long as its process lives. A database with
keys in it belongs to another user of the server and is not leased, unless a killed session of ours has left the keys:
`realservices:used:N` says until when that session held N, and every key must have been untouched since.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from realservices.isolation.errors import IsolationBrokenError, IsolationError
from realservices.kinds.redis.isolation.connection_arguments import without_client_info
from realservices.kinds.redis.isolation.index_ranges import IndexesExhaustedError

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint

LEASE_MS = 30_000
RENEW_S = 10.0
# How long the keys of a database are known to be ours.
_REMEMBER_S = 7 * 24 * 3600
_MOST_LEFT = 10_000
_USUAL_DATABASES = 16
_LEASE, _USED = "realservices:lease:{}", "realservices:used:{}"


class LeasedIndex:
    """One database index, held against all other sessions until `close` or this process's death.

    Attributes:
        token: What the holder is called on the server.

    Args:
        endpoint: The service.

    Raises:
        IndexesExhaustedError: All databases are in use.
        IsolationError: The server has only one database, or refuses.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.token = secrets.token_hex(8)
        self._client = self._connect(0)
        self._is_lost = False
        self._ended = threading.Event()
        try:
            self._index = self._lease()
            self._remove_abandoned()
        except redis.RedisError as error:
            self._give_up()
            raise IsolationError(f"{self._where}: {type(error).__name__}: {error}. {_remedy(error)}") from error
        except BaseException:
            self._give_up()
            raise
        self._renewal = threading.Thread(target=self._renew, name="realservices-redis-lease", daemon=True)
        self._renewal.start()

    def claim(self) -> int:
        """Return the database index.

        Raises:
            IsolationBrokenError: Another session has it by now.
        """
        if self._is_lost:
            raise IsolationBrokenError(
                f"{self._where}: this process has lost its database index {self._index} to another test session; "
                f"it did not renew its lease for {LEASE_MS // 1000} s (the machine slept, or the process was stopped)"
            )
        return self._index

    def live_tokens(self) -> set[str]:
        """Return the tokens of all processes that hold indexes now."""
        keys = [_LEASE.format(index) for index in range(1, self._databases())]
        return {value for value in self._client.mget(keys) if value}

    def close(self) -> None:
        """Leave the index to others; the database is empty."""
        self._ended.set()
        self._renewal.join()
        try:
            if not self._is_lost:
                self._client.delete(_USED.format(self._index), _LEASE.format(self._index))
            self._client.close()
        except redis.RedisError:
            return  # The lease expires by itself.

    def _give_up(self) -> None:
        """Leave what was leased before it failed to others at once, and not when the leases expire."""
        with contextlib.suppress(redis.RedisError):
            keys = [_LEASE.format(index) for index in range(1, self._databases())]
            ours = [key for key, value in zip(keys, self._client.mget(keys), strict=True) if value == self.token]
            if ours:
                self._client.delete(*ours)
        self._client.close()

    def _lease(self) -> int:
        count = self._databases()
        if count < 2:
            raise IsolationError(
                f"{self._where} has {count} database: tests need databases besides 0, which is its owner's. Set "
                "databases 16 in its redis.conf (a Redis Cluster has only one database: take an ordinary server)"
            )
        foreign, leased = 0, 0
        for index in range(1, count):
            if not self._client.set(_LEASE.format(index), self.token, nx=True, px=LEASE_MS):
                leased += 1
                continue
            if self._is_usable(index):
                self._client.set(_USED.format(index), self._now(), ex=_REMEMBER_S)
                return index
            self._client.delete(_LEASE.format(index))
            foreign += 1
        raise IndexesExhaustedError(
            f"{self._where} has {count} databases and none is free: {leased} are leased by test processes "
            f"({_LEASE.format('N')}), {foreign} hold keys that no test session has left, and database 0 is never "
            "used. Run fewer processes at once, raise databases in its redis.conf, or empty the databases that you do "
            "not need (redis-cli -n N FLUSHDB)"
        )

    def _remove_abandoned(self) -> None:
        """Remove what killed sessions have left in other databases, which may never be leased again."""
        indexes = range(1, self._databases())
        used = self._client.mget([_USED.format(index) for index in indexes])
        for index in (index for index, value in zip(indexes, used, strict=True) if value and index != self._index):
            if self._client.set(_LEASE.format(index), self.token, nx=True, px=LEASE_MS):
                if self._is_usable(index):
                    self._client.delete(_USED.format(index))
                self._client.delete(_LEASE.format(index))

    def _is_usable(self, index: int) -> bool:
        """Return whether a database is empty; what a killed session of ours has left in it is removed."""
        client = self._connect(index)
        try:
            if client.dbsize() == 0:
                return True
            used_at = self._client.get(_USED.format(index))
            if used_at is None or not self._is_left(client, self._now() - int(used_at)):
                return False
            client.flushdb()
            return True
        finally:
            client.close()

    def _is_left(self, client: Any, ended_s_ago: int) -> bool:
        """Return whether all keys have been untouched since a session last renewed its lease, some seconds ago."""
        if client.dbsize() > _MOST_LEFT:
            return False
        try:
            idle = [client.object("idletime", key) for key in client.scan_iter(count=1000)]
        except redis.ResponseError:  # With an LFU policy the server does not know.
            return False
        return all(seconds is None or seconds >= ended_s_ago - RENEW_S - 2 for seconds in idle)

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_S):
            try:
                self._renew_once()
            except redis.RedisError:
                continue  # The server may be restarting; the lease lasts for three attempts.

    def _renew_once(self) -> None:
        key = _LEASE.format(self._index)
        # Expired while this process stood still, or forgotten by a restarted server: taken anew if it is still free.
        is_ours = bool(self._client.set(key, self.token, nx=True, px=LEASE_MS)) or self._client.get(key) == self.token
        if is_ours:
            self._client.pexpire(key, LEASE_MS)
            self._client.set(_USED.format(self._index), self._now(), ex=_REMEMBER_S)
        self._is_lost = not is_ours

    def _databases(self) -> int:
        try:
            return int(self._client.config_get("databases").get("databases", _USUAL_DATABASES))
        except (redis.ResponseError, ValueError):
            return self._count_databases()  # Hosted servers often hide their settings.

    def _count_databases(self) -> int:
        for index in range(1, _USUAL_DATABASES):
            client = self._connect(index)
            try:
                client.ping()
            except redis.ResponseError:
                return index
            finally:
                client.close()
        return _USUAL_DATABASES

    def _now(self) -> int:
        return int(self._client.time()[0])

    def _connect(self, index: int) -> Any:
        service = self._endpoint
        return redis.Redis(
            host=service.host,
            port=service.port,
            username=service.user or None,
            password=service.password or None,
            db=index,
            protocol=2,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
            **without_client_info(),
        )

    @property
    def _where(self) -> str:
        service = self._endpoint
        return f"Redis service {service.name!r} ({service.label}) at {service.host}:{service.port}"


def _remedy(error: redis.RedisError) -> str:
    if isinstance(error, redis.AuthenticationError) or re.search(r"NOAUTH|WRONGPASS|AUTH", str(error)):
        return "Correct TEST_REDIS_PASSWORD"
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return "The server of TEST_REDIS_HOST must be a Redis that serves"
    return "The account needs SELECT, SET, GET, DEL, SCAN and FLUSHDB on all databases"
