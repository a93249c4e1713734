"""A program of a project's own that makes its schema."""

from __future__ import annotations

import os

import pymysql

if __name__ == "__main__":
    host, port, user, password, database = os.environ["SHOP"].split()
    with pymysql.connect(host=host, port=int(port), user=user, password=password, database=database) as client:
        client.cursor().execute("CREATE TABLE made (id INT AUTO_INCREMENT PRIMARY KEY)")
