"""The build action that makes a PostgreSQL template."""
