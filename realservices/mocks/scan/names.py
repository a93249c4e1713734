"""Parts of names by which a service is known: of variables, attributes and fixtures."""

from __future__ import annotations

import re

from realservices.mocks.scan.vocabulary import words
from realservices.mocks.scan_model import Service

_NAMES: dict[Service, str] = {
    Service.CLICKHOUSE: """
        clickhouse
    """,
    Service.REDIS: """
        redis cache valkey rds pubsub
    """,
    Service.POSTGRES: """
        db database postgres postgresql psycopg asyncpg pg sql sqlalchemy cursor cur engine
        transaction dbapi
    """,
    Service.WEBSOCKET: """
        websocket websockets ws socketio
    """,
    Service.LLM: """
        llm openai anthropic gpt claude gemini embedder embedding embeddings litellm chatgpt bedrock ollama groq
    """,
    Service.HTTP: """
        http httpx requests urlopen aiohttp resp response webhook api rest urllib urllib3
    """,
    Service.FILES: """
        file files open path filesystem fs directory folder
    """,
    Service.TIME: """
        time sleep now utcnow clock datetime monotonic today date timestamp
    """,
    Service.RANDOM: """
        random uuid uuid4 randint token_hex urandom choice
    """,
}
_BY_NAME = {name: service for service, names in _NAMES.items() for name in names.split()}
GENERIC_WORDS = frozenset(words("""
    client conn connection session get create make build new connect init setup close start stop run call
    instance object class mock mocked patch fake result value obj m the my test helper service manager handler
"""))  # fmt: skip
"""Words of names that speak of no service."""
CLIENT_WORDS = frozenset(
    words("session conn connection client pool pipe pipeline index idx channel backend transport store")
)
"""Words of names that mean a client or a part of one."""
VAGUE_WORDS = frozenset(
    words("time now clock today date timestamp file files open path fs directory folder resp response api rest "
           "request requests http choice cache")
)  # fmt: skip
"""Words that speak of a service at a name's end only, and never of a part of the project's own code."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words_of(name: str) -> list[str]:
    """Return the words of an identifier, in lower case: of "mock_dbPool2" mock, db, pool, 2."""
    return [word.lower() for word in _WORD.findall(name)]


_COMPACT = re.compile(
    "websocket|clickhouse|sqlalchemy|postgres|psycopg|asyncpg|filesystem|httpx|aiohttp|openai|redis(?!tri|cov)"
)


_NOT_OURS = re.compile(
    "mongo|cosmos|dynamo|couch|neo4j|vector_?db|pinecone|chroma|qdrant|weaviate|milvus|lance|cassandra|influx|duckdb"
    "|surreal|firestore|mysql|singlestore|snowflake|bigquery|memcache|elastic",
    re.IGNORECASE,
)


def is_of_another_store(name: str) -> bool:
    """Return whether a name speaks of a database that is none of those here."""
    return bool(_NOT_OURS.search(name))


def service_of_name(name: str) -> tuple[Service, str] | None:
    """Return the service that a name speaks of, and the word that says so; the last of several."""
    if is_of_another_store(name):
        return None
    if compact := _COMPACT.search(name.lower().replace("_", "")):
        return _BY_NAME[compact[0]], compact[0]
    words = [word for word in words_of(name) if word not in GENERIC_WORDS]
    for number, word in enumerate(reversed(words)):
        if (found := _BY_NAME.get(word)) and (number == 0 or word not in VAGUE_WORDS):
            return found, word
    return None


def is_client_word(name: str) -> bool:
    """Return whether a name is one of a client's parts, of whatever service: a session, a connection, a pool."""
    return not CLIENT_WORDS.isdisjoint(words_of(name))
