"""A PostgreSQL server: from a template to the first connection, and its end."""
