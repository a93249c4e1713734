"""Notes, by psycopg, blocking."""

import os

import psycopg


def connect():
    return psycopg.connect(os.environ.get("DATABASE_URL", ""))


class NoteStore:
    def __init__(self, conn):
        self.conn = conn

    def add(self, author, body):
        with self.conn.cursor() as cur:
            cur.execute("INSERT INTO notes (author, body) VALUES (%s, %s)", (author, body))
        self.conn.commit()

    def by_author(self, author):
        with self.conn.cursor() as cur:
            cur.execute("SELECT id, body FROM notes WHERE author = %s ORDER BY id", (author,))
            return cur.fetchall()

    def first(self, author):
        cur = self.conn.cursor()
        cur.execute("SELECT body FROM notes WHERE author = %s LIMIT 1", (author,))
        row = cur.fetchone()
        return row[0] if row else None

    def latest(self, author):
        cur = self.conn.cursor()
        cur.execute("SELECT body FROM notes WHERE author = %s ORDER BY id DESC LIMIT 1", (author,))
        row = cur.fetchone()
        return row[0] if row else None

    def pin(self, note_id):
        with self.conn.cursor() as cur:
            cur.execute("UPDATE notes SET pinned = true WHERE id = %s", (note_id,))
            changed = cur.rowcount
        self.conn.commit()
        return changed == 1


def count_notes():
    with connect() as conn, conn.cursor() as cur:
        cur.execute("SELECT count(*) FROM notes")
        return cur.fetchone()[0]
