"""Transactions of XA that a test has prepared and left: they outlive its connections, and lock what they have touched.

https://mariadb.com/kb/en/xa-transactions/
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from realservices.kinds.mariadb.wire import MariaDBRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Set

    from realservices.kinds.mariadb.wire import Connection

_LOCK_WAIT_S = 10
_LOCK_WAIT_TIMEOUT, _UNKNOWN = 1205, 1397


def wait_for_locks(connection: Connection, seconds: int = _LOCK_WAIT_S) -> None:
    """Say how long statements of ours wait for a lock: a connection that has just been killed may hold it still."""
    connection.run(f"SET lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}")


def prepared_transactions(connection: Connection) -> set[str]:
    """Return the transactions that are prepared, each as XA names it in SQL."""
    return {str(row[3]) for row in connection.run("XA RECOVER FORMAT='SQL'")}


def roll_back(connection: Connection, transaction: str) -> None:
    """Roll a prepared transaction back; wait until the connection that has prepared it has ended.

    Raises:
        MariaDBRefusal: That connection goes on.
    """
    deadline = time.monotonic() + _LOCK_WAIT_S
    while transaction in prepared_transactions(connection):
        try:
            connection.run(f"XA ROLLBACK {transaction}")
        except MariaDBRefusal as error:
            if error.code != _UNKNOWN:
                raise
            if time.monotonic() > deadline:
                words = f"{error.words}: {transaction}, which a test has prepared on a connection that it must close"
                raise MariaDBRefusal(error.code, "XAE04", words) from None
            time.sleep(0.01)


def without_locks(connection: Connection, drop: Callable[[], None], before: Set[str]) -> None:
    """Drop something, and for that roll back prepared transactions that lock it.

    Args:
        connection: To the server.
        drop: Drops it.
        before: The transactions that were prepared already when it was made.

    Raises:
        MariaDBRefusal: The server refuses.
    """
    for transaction in sorted(prepared_transactions(connection) - before):
        wait_for_locks(connection, 0)
        try:
            drop()
        except MariaDBRefusal as error:
            if error.code != _LOCK_WAIT_TIMEOUT:
                raise
        else:
            return
        finally:
            wait_for_locks(connection)
        roll_back(connection, transaction)
    drop()
