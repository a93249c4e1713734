"""What the shop does when a service is gone, or slow."""

import asyncio

import psycopg
import redis
from sqlalchemy.exc import SQLAlchemyError

from app.models import Author


async def recall_or_none(client, key):
    try:
        return await client.get(key)
    except redis.RedisError:
        return None


async def recall_in_time(client, key):
    try:
        return await asyncio.wait_for(client.get(key), 0.2)
    except TimeoutError:
        return "too late"


def store_author(session, name):
    try:
        session.add(Author(name=name))
        session.commit()
    except SQLAlchemyError:
        session.rollback()
        return False
    return True


def first_body(conn, author):
    try:
        with conn.cursor() as cur:
            cur.execute("SELECT body FROM notes WHERE author = %s LIMIT 1", (author,))
            return cur.fetchone()[0]
    except psycopg.OperationalError:
        return "the notes are gone"
