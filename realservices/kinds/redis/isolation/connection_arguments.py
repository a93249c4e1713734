"""How the fixtures' clients connect: like a client that redis-py makes by itself."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import redis
import redis.utils

if TYPE_CHECKING:
    from realservices.kinds.redis.isolation.lease import RedisLease

ADMINISTRATIVE_PROTOCOL = 2
"""What RESET leaves a connection at; answers are plain lists."""
_DEFAULT_PROTOCOL = getattr(redis.utils, "DEFAULT_RESP_VERSION", 2)
"""What redis-py speaks where nothing else is said: 3 since version 8. The answers to `execute_command` depend on it."""


def own_arguments(lease: RedisLease, decode: bool, socket: Any, ordinary: Any, guarded: Any) -> dict[str, Any]:
    """Return a pool's arguments. The account is the URL's, which ends with the test: libraries make pools of them."""
    arguments = {
        "username": lease.user or None,
        "password": lease.password or None,
        "db": lease.database_index,
        "decode_responses": decode,
        "before_load": lease.libraries.before_load,
        **without_client_info(),
    }
    if lease.endpoint.socket:
        return {**arguments, "connection_class": socket, "path": lease.endpoint.socket}
    arguments["connection_class"] = guarded if lease.is_guarded else ordinary
    return {**arguments, "host": lease.endpoint.host, "port": lease.endpoint.port}


def renewal(lease: RedisLease, *, is_changed: bool) -> tuple[tuple[Any, ...], ...]:
    """Return the commands that make a connection of an earlier test one of this.

    Args:
        lease: The test's share.
        is_changed: The connection may be in another state than after its login: the server must forget that first.
    """
    account = lease.client_user, lease.password
    if not is_changed:  # A third of the other way's time.
        return ("ECHO", lease.password), ("AUTH", *account), ("SELECT", lease.database_index)
    login = ("AUTH", *account) if _DEFAULT_PROTOCOL == ADMINISTRATIVE_PROTOCOL else ("HELLO", 3, "AUTH", *account)
    return ("RESET",), login, ("SELECT", lease.database_index)


def require_renewed(commands: tuple[tuple[Any, ...], ...], answers: list[Any]) -> None:
    """Look at the answers to `renewal`.

    Raises:
        redis.ConnectionError: The connection has answers of the earlier test left, as after a callback that failed.
    """
    expected = commands[0][-1]  # RESET, or what ECHO is to say.
    if answers[0] not in (expected, expected.encode()):
        raise redis.ConnectionError(f"{answers[0]!r} in place of the answer to {commands[0][0]}")


@functools.cache
def without_client_info() -> dict[str, Any]:
    """Return the arguments that keep redis-py from sending CLIENT SETINFO: two round trips that tell a test nothing."""
    known = inspect.signature(redis.connection.AbstractConnection.__init__).parameters
    return {"driver_info": None} if "driver_info" in known else {"lib_name": None, "lib_version": None}


@functools.cache
def without_maintenance(pool: Any) -> dict[str, Any]:
    """Return the arguments that keep redis-py from asking a server to announce maintenance: one more round trip.

    Args:
        pool: The library's class of pools; version 7 knows of it in the blocking one only.
    """
    known = inspect.signature(pool.__init__).parameters
    if "maint_notifications_config" not in known:
        return {}
    from redis.maint_notifications import MaintNotificationsConfig  # noqa: PLC0415 - since redis-py 7

    return {"maint_notifications_config": MaintNotificationsConfig(enabled=False)}
