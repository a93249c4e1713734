"""A test that is no pytest's: it checks MariaDB databases out by command."""

from __future__ import annotations

import os
import subprocess
import sys
from urllib.parse import urlsplit

import pymysql

_CHECKED_OUT = (sys.executable, __file__, "--checked-out")


def _customers(statement: str = "") -> int:
    url = urlsplit(os.environ["MARIADB_URL"])
    account = {"user": url.username, "password": url.password or "", "database": url.path[1:]}
    with pymysql.connect(host=url.hostname, port=url.port or 0, autocommit=True, **account) as client:
        cursor = client.cursor()
        if statement:
            cursor.execute(statement)
        cursor.execute("SELECT COUNT(*) FROM customers")
        return int(cursor.fetchone()[0])


def main() -> None:
    """Have three tests, one after another; each is another process."""
    if "--checked-out" in sys.argv:
        assert _customers() == 2, "another test has been here"
        assert _customers("INSERT INTO customers (name) VALUES ('Zoe')") == 3
        return
    for _ in range(3):
        subprocess.run(["realservices-checkout", "db", "--", *_CHECKED_OUT], check=True)
    assert _customers() == 2, "the service's own database has what a test wrote"


if __name__ == "__main__":
    main()
