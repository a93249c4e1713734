"""MariaDB: a transaction that is rolled back, or a database of its own, for each test."""
