"""A MariaDB server: from a template to the first query, and its end."""
