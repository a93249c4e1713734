"""A process's own connection to a Redis server, with full power: for accounts, indexes and what tests leave."""

from __future__ import annotations

import contextlib
import secrets
import threading
from typing import TYPE_CHECKING, Any

import redis

from realservices.isolation.errors import IsolationError
from realservices.isolation.own_process import OwnProcess
from realservices.kinds.redis.isolation.accounts import PREFIX
from realservices.kinds.redis.isolation.connection_arguments import ADMINISTRATIVE_PROTOCOL, without_client_info

if TYPE_CHECKING:
    from realservices.contract.runtime import Endpoint


class Administration:
    """The connection, which is made when it is first used.

    Args:
        endpoint: The service.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connection: Any = None
        self._account = ""
        self._process = OwnProcess()
        self._lock = threading.Lock()

    def call(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Send commands in one go; return their answers.

        Raises:
            IsolationError: The server does not answer.
            redis.ResponseError: It refuses.
        """
        self._process.require("a test's database of Redis", "In the child use the client or the url that the test has")
        with self._lock:
            for attempt in (1, 2):
                try:
                    return self._asked(commands)
                except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
                    self._forget()  # The server may have been restarted: once more over a new connection.
                    if attempt == 2:
                        raise self._silent(error) from error
                except BaseException:
                    self._forget()  # The answers to the commands behind would be taken for the next ones'.
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Disconnect."""
        with self._lock:
            if self._connection is not None and self._account:
                with contextlib.suppress(redis.RedisError, OSError):
                    self._asked((("ACL", "DELUSER", self._account),))
            self._forget()

    def _asked(self, commands: tuple[tuple[Any, ...], ...]) -> list[Any]:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.send_packed_command(self._connection.pack_commands(commands))
        return [self._connection.read_response() for _ in commands]

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _connect(self) -> Any:
        service = self._endpoint
        arguments: dict[str, Any] = {"username": service.user or None, "password": service.password or None}
        arguments |= {"protocol": ADMINISTRATIVE_PROTOCOL, **without_client_info()}
        if service.socket:
            kind: Any = redis.UnixDomainSocketConnection
            connection = kind(path=service.socket, **arguments)
        else:
            kind = redis.Connection
            connection = kind(host=service.host, port=service.port, **arguments)
        connection.connect()
        if service.disposable:
            self._log_in(connection)
        return connection

    def _log_in(self, connection: Any) -> None:
        """Use an account of our own: a test may take rights from the one that programs have, which is to be undone."""
        self._account, password = f"{PREFIX}{secrets.token_hex(8)}-administration", secrets.token_hex(16)
        login = ("ACL", "SETUSER", self._account, "on", f">{password}", "~*", "&*", "+@all")
        for command in (login, ("AUTH", self._account, password)):
            connection.send_command(*command)
            connection.read_response()

    def _silent(self, error: Exception) -> IsolationError:
        service = self._endpoint
        return IsolationError(
            f"Redis service {service.name!r} ({service.label}) at {service.host}:{service.port} does not "
            f"answer: {error}; its log is {service.log or 'not known'}"
        )
