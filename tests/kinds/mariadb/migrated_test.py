"""A schema that a program has made is there, with its seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pymysql
import pytest

if TYPE_CHECKING:
    from realservices.kinds.mariadb.isolation.database import MariaDBDatabase


@pytest.mark.parametrize("attempt", range(2))
def test_the_next_row_has_the_next_number(cloned_mariadb: MariaDBDatabase, attempt: int) -> None:
    with pymysql.connect(**cloned_mariadb.parameters, autocommit=True) as client, client.cursor() as cursor:
        cursor.execute("INSERT INTO made VALUES ()")
        assert cursor.lastrowid == 3
