"""Clients of a test's own database by drivers other than asyncpg: psycopg, psycopg2 and SQLAlchemy over each."""
