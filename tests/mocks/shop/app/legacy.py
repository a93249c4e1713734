"""Notes, by psycopg2."""

import psycopg2


def load_bodies(conn, author):
    cur = conn.cursor()
    cur.execute("SELECT body FROM notes WHERE author = %s ORDER BY id", (author,))
    rows = cur.fetchall()
    cur.close()
    return [row[0] for row in rows]


def save_note(dsn, author, body):
    conn = psycopg2.connect(dsn)
    try:
        cur = conn.cursor()
        cur.execute("INSERT INTO notes (author, body) VALUES (%s, %s)", (author, body))
        conn.commit()
    finally:
        conn.close()
