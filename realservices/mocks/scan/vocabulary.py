"""Words by which a service is known: packages, methods of clients, SQL, parts of names."""

from __future__ import annotations

import re

from realservices.mocks.scan_model import Service


def words(text: str) -> list[str]:
    """Return a text's words."""
    return text.split()


_PACKAGES: dict[Service, str] = {
    Service.POSTGRES: """
        asyncpg psycopg psycopg2 psycopg_pool psycopg2cffi aiopg pg8000 sqlalchemy sqlmodel databases tortoise
        peewee peewee_async django.db gino ormar piccolo pony flask_sqlalchemy alembic pgvector sqlite3
        aiosqlite alchemy_mock mock_alchemy asyncpg_trek pugsql records edgedb playhouse
    """,
    Service.REDIS: """
        redis aioredis fakeredis redis_om django_redis rediscluster valkey glide coredis walrus redlock
        redis_lock aredis mockredis birdisle hiredis django.core.cache flask_caching redisvl rq rq_scheduler
    """,
    Service.CLICKHOUSE: """
        clickhouse_driver clickhouse_connect aiochclient asynch infi.clickhouse_orm clickhouse_sqlalchemy
        clickhouse_pool
    """,
    Service.WEBSOCKET: """
        websockets websocket wsproto socketio starlette.websockets fastapi.WebSocket fastapi.websockets channels
        aiohttp.ClientWebSocketResponse aiohttp.web.WebSocketResponse autobahn tornado.websocket httpx_ws
    """,
    Service.HTTP: """
        requests httpx aiohttp urllib urllib3 http.client http.server httplib2 pycurl tornado.httpclient treq
        niquests curl_cffi grequests requests_oauthlib respx responses aioresponses requests_mock httpretty vcr
        pytest_httpx requests_toolbelt cloudscraper httpcore hishel authlib.integrations pook mocket betamax
        flask.request
    """,
    Service.FILES: """
        builtins.open os.path os.listdir os.remove os.unlink os.makedirs os.mkdir os.rename os.replace os.walk
        os.stat os.rmdir os.scandir os.access os.chmod os.open os.close os.symlink os.link os.utime os.fsync
        os.getcwd os.chdir pathlib shutil tempfile glob io.open codecs.open aiofiles pyfakefs zipfile tarfile
        anyio.Path anyio.open_file os.fdopen os.truncate os.ftruncate
    """,
    Service.LLM: """
        openai anthropic litellm cohere google.generativeai google.genai vertexai mistralai groq ollama
        langchain langchain_core langchain_openai langchain_community langchain_anthropic llama_index
        transformers huggingface_hub replicate together tiktoken sentence_transformers cerebras fireworks
        voyageai dashscope xai_sdk zhipuai llama_cpp
    """,
    Service.TIME: """
        time datetime asyncio.sleep django.utils.timezone freezegun time_machine pendulum arrow sched trio.sleep
        anyio.sleep asyncio.wait_for
    """,
    Service.RANDOM: """
        random secrets uuid os.urandom numpy.random
    """,
}
_BY_PACKAGE = {name: service for service, names in _PACKAGES.items() for name in names.split()}
# Of packages with other things in them that stand for nothing.
_HARMLESS = ("sqlalchemy.event", "pathlib.PurePath", "requests.exceptions", "urllib.parse", "redis.exceptions")
_OTHER_PACKAGES = frozenset(words("""
    MySQLdb aio_pika aiobotocore aiokafka aiomcache aiomysql aiormq aiosmtplib amqp asyncio asyncssh azure
    beanie billiard boto3 botocore cassandra celery chromadb concurrent confluent_kafka consul couchbase discord
    docker duckdb elasticsearch email etcd3 eventlet ftplib getpass gevent google.cloud grpc hvac imaplib
    importlib influxdb inspect json jwt kafka kazoo kombu kubernetes ldap3 logging memcache mongoengine
    mongomock moto motor multiprocessing mysql nats neo4j opensearchpy opentelemetry os paramiko pickle pika
    pinecone platform prometheus_client psutil pylibmc pymemcache pymilvus pymongo pymysql qdrant_client select
    selectors sendgrid sentry_sdk shlex signal slack_bolt slack_sdk smtplib snowflake socket ssl stripe
    subprocess sys telegram threading twilio weaviate yaml
"""))  # fmt: skip


def service_of_package(full: str) -> Service | None:
    """Return what a library stands for by a full name in it; OTHER for a known one of no kind, None for an unknown."""
    if full.startswith(_HARMLESS):
        return Service.OTHER
    parts = full.replace("()", "").split(".")
    for length in range(min(3, len(parts)), 0, -1):
        name = ".".join(parts[:length])
        if found := _BY_PACKAGE.get(name):
            return found
        if name in _OTHER_PACKAGES:
            return Service.OTHER
    return None


_METHODS: dict[Service, str] = {
    Service.POSTGRES: """
        fetchrow fetchval fetchmany executemany fetchone fetchall cursor scalar scalars scalar_one
        scalar_one_or_none rollback commit mappings add_all begin_nested executescript rowcount
        run_sync get_bind bulk_save_objects expunge lastrowid copy_records_to_table getconn putconn
        filter_by order_by select_related prefetch_related get_or_create
    """,
    Service.REDIS: """
        hget hset hgetall hmget hmset hdel hexists hincrby hkeys hvals setex psetex setnx getset getdel expire
        pexpire expireat ttl pttl lpush rpush lpop rpop blpop brpop brpoplpush lrange llen lrem ltrim
        sadd srem smembers sismember scard zadd zrange zrem zscore zcard zrangebyscore zrevrange
        zremrangebyscore zcount zincrby incrby incr decr mget mset pubsub psubscribe scan_iter flushdb
        flushall xadd xread xreadgroup xack xgroup_create xlen xrange register_script evalsha
        getrange geoadd pfadd
    """,
    Service.CLICKHOUSE: """
        query_df insert_df query_arrow execute_iter query_dataframe insert_dataframe raw_insert
    """,
    Service.HTTP: """
        status_code raise_for_status iter_content aiter_bytes iter_bytes aiter_lines iter_lines reason_phrase
        urlopen getcode is_success build_request
    """,
    Service.WEBSOCKET: """
        send_json receive_json send_text receive_text receive_bytes send_bytes client_state
        application_state iter_text iter_json
    """,
    Service.FILES: """
        read_text write_text read_bytes write_bytes readlines writelines readline is_file is_dir iterdir st_size
        st_mtime
    """,
    Service.LLM: """
        completions embeddings ainvoke generate_content embed_query embed_documents
        acompletion
    """,
}
METHODS = {name: service for service, names in reversed(_METHODS.items()) for name in names.split()}
"""The service of a client's method that hardly any other class has."""
WEAK_METHODS: dict[str, tuple[Service, ...]] = {
    "execute": (Service.POSTGRES, Service.CLICKHOUSE),
    "fetch": (Service.POSTGRES,),
    "query": (Service.POSTGRES, Service.CLICKHOUSE),
    "transaction": (Service.POSTGRES,),
    "acquire": (Service.POSTGRES,),
    "get": (Service.REDIS, Service.HTTP),
    "set": (Service.REDIS,),
    "exists": (Service.REDIS, Service.FILES),
    "delete": (Service.REDIS, Service.HTTP),
    "ping": (Service.REDIS,),
    "post": (Service.HTTP,),
    "put": (Service.HTTP,),
    "patch": (Service.HTTP,),
    "request": (Service.HTTP,),
    "json": (Service.HTTP,),
    "headers": (Service.HTTP,),
    "text": (Service.HTTP,),
    "status": (Service.HTTP,),
    "content": (Service.HTTP, Service.LLM),
    "read": (Service.FILES,),
    "write": (Service.FILES,),
    "flush": (Service.POSTGRES,),
    "refresh": (Service.POSTGRES,),
    "merge": (Service.POSTGRES,),
    "description": (Service.POSTGRES,),
    "publish": (Service.REDIS,),
    "pipeline": (Service.REDIS,),
    "persist": (Service.REDIS,),
    "rename": (Service.REDIS, Service.FILES),
    "unlink": (Service.REDIS, Service.FILES),
    "mkdir": (Service.FILES,),
    "ok": (Service.HTTP,),
    "accept": (Service.WEBSOCKET,),
    "messages": (Service.LLM,),
    "invoke": (Service.LLM,),
    "choices": (Service.LLM,),
    "chat": (Service.LLM,),
    "completion": (Service.LLM,),
}
_SQL = re.compile(
    r"^\s*(?:SELECT\s.+?\sFROM\b|SELECT\s+\d|INSERT\s+INTO\b|UPDATE\s.+?\sSET\b|DELETE\s+FROM\b|CREATE\s+(?:TABLE|INDEX|SCHEMA|EXTENSION)\b"
    r"|ALTER\s+TABLE\b|DROP\s+TABLE\b|TRUNCATE\b|WITH\s.+?\sAS\s*\()",
    re.IGNORECASE | re.DOTALL,
)
_CLICKHOUSE_SQL = re.compile(r"ENGINE\s*=\s*\w*MergeTree|ENGINE\s*=\s*Memory|\bPREWHERE\b|\bUInt\d+\b", re.IGNORECASE)


def service_of_sql(text: str) -> Service | None:
    """Return the service of a text that is SQL."""
    if len(text) < 8 or not _SQL.match(text):
        return None
    return Service.CLICKHOUSE if _CLICKHOUSE_SQL.search(text) else Service.POSTGRES
