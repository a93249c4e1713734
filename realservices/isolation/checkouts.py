"""Databases that tests in other languages check out of the launcher, one for each test, undone when they are released.

They come from the same pools as those of pytest's fixtures: a clone of a PostgreSQL's template with real commits, a
numbered database of a Redis, a database of a ClickHouse; and the use of a declared server, whose databases are put
back behind it. The launcher (launcher/checkouts.py) says which test holds what; checkout_program.py is between them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from typing import TYPE_CHECKING, Any

from realservices.contract.url_forms import written_as
from realservices.isolation.errors import IsolationError
from realservices.kinds.registry import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from realservices.contract.runtime import Endpoint
    from realservices.isolation.manager import IsolationManager
    from realservices.kinds.redis.isolation.isolation import RedisIsolation

SHOWN = ("host", "port", "user", "password", "database", "url")
_OTHER_FORMS = ("jdbc", "dsn")
# One more is made while the first test has its own.
_FIRST = 2


class Checkouts:
    """What is checked out of one test action's services.

    Args:
        manager: Of this process.
    """

    def __init__(self, manager: IsolationManager) -> None:
        self._manager = manager
        self._held: dict[int, contextlib.ExitStack] = {}
        self._expected: set[str] = set()
        self._idle_redis: dict[str, list[RedisIsolation]] = {}
        self._lock = threading.Lock()
        self._servers = threading.Lock()

    def prepare(self) -> None:
        """Make the first databases of each PostgreSQL before anybody asks."""
        for name in self._manager.services.names("postgres"):
            self._expect(name)

    def take(self, number: int, kind: str, service: str, test: str) -> dict[str, Any]:
        """Check something out; return what a client needs to use it.

        Args:
            number: By which it is released.
            kind: Of the service.
            service: Its name.
            test: Which test it is for, "": it is not known.

        Raises:
            RealServicesError: It cannot be given.
        """
        with contextlib.ExitStack() as stack:
            fields = stack.enter_context(self._kind(kind)(service, test))
            self._held[number] = stack.pop_all()
        return fields

    def release(self, number: int) -> None:
        """Undo what was done with it.

        Raises:
            RealServicesError: That is not possible.
        """
        self._held.pop(number).close()

    def findings(self) -> list[str]:
        """Return what tests have left that could not be undone, with the tests' names where they are known."""
        return [f"{each.test or 'a test'}: {each.text}" for each in self._manager.findings()]

    def _kind(self, kind: str) -> Callable[[str, str], contextlib.AbstractContextManager[dict[str, Any]]]:
        kinds = {"postgres": self._postgres, "redis": self._redis, "clickhouse": self._clickhouse}
        return kinds.get(kind, self._server)

    @contextlib.contextmanager
    def _postgres(self, service: str, test: str) -> Iterator[dict[str, Any]]:
        self._expect(service)
        isolation = self._manager.postgres(service)
        with isolation.cloned_database(test) as database:
            yield _fields(isolation.endpoint, database=database.name, url=database.url)

    def _expect(self, service: str) -> None:
        # Nobody knows how many tests there are: one more than there were.
        with self._lock:
            count = 1 if service in self._expected else _FIRST
            self._expected.add(service)
        self._manager.postgres(service).expect(transactions=False, databases=count)

    @contextlib.contextmanager
    def _redis(self, service: str, test: str) -> Iterator[dict[str, Any]]:
        isolation = self._redis_isolation(service)
        lease = isolation.lease()
        account = {"user": lease.user, "password": lease.password}
        try:
            yield _fields(isolation.endpoint, database=lease.number, url=lease.url, **account)
        finally:
            isolation.release(lease)
            with self._lock:
                self._idle_redis[service].append(isolation)

    def _redis_isolation(self, service: str) -> RedisIsolation:
        """Return an isolation that has no test; each has an account, and numbers, of its own."""
        with self._lock:
            idle = self._idle_redis.setdefault(service, [])
            if idle:
                return idle.pop()
        try:
            return self._manager.make_redis(service)
        except IsolationError as error:
            raise IsolationError(
                f"no database of Redis service {service!r} is left: as many tests as it has numbers for hold one. "
                "Release those that are done, run fewer tests at once, or set databases on the redis_service to more"
            ) from error

    @contextlib.contextmanager
    def _clickhouse(self, service: str, test: str) -> Iterator[dict[str, Any]]:
        isolation = self._manager.clickhouse(service)
        with isolation.database() as database:
            yield _fields(isolation.endpoint, database=database.database, url=database.url)

    @contextlib.contextmanager
    def _server(self, service: str, test: str) -> Iterator[dict[str, Any]]:
        endpoint = self._manager.services.endpoint("executable", service)
        with self._servers:  # One test at a time: servers keep their connections to their databases.
            self._manager.servers.enter()
            try:
                yield {field: getattr(endpoint, field) for field in ("host", "port", "password", "url")}
            finally:
                self._manager.servers.leave()


def _fields(endpoint: Endpoint, **own: Any) -> dict[str, Any]:
    """Return a service's address with what is the test's own, in all forms."""
    here = dataclasses.asdict(endpoint) | own
    forms = [form for form in _OTHER_FORMS if form in find(endpoint.kind).url_forms]
    return {field: here[field] for field in SHOWN} | {form: written_as("url", form, here) for form in forms}
