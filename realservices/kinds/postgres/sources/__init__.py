"""How a project declares a PostgreSQL for plain pytest, and how it takes one that somebody else runs."""
