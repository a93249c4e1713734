"""How a project declares a PostgreSQL for plain pytest, and how it takes an external one."""
