from __future__ import annotations

import json
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.development import Development

_PYPROJECT = """[project]
name = "shop"
dependencies = ["SQLAlchemy[asyncio]>=2", "asyncpg"]
[dependency-groups]
dev = ["fakeredis", "pytest-xdist"]
[tool.poetry.group.test.dependencies]
clickhouse-connect = "*"
"""
_COMPOSE = """
services:
  web:
    build: .
    environment:
      PGPORT: 5432
      - REDIS_HOST=queue
  db:
    image: "postgres:15-alpine"
    environment:
      POSTGRES_DB: shop
  queue:
    image: rabbitmq:3
  files:
    image: minio/minio
volumes:
  data:
"""
_VARIABLES = """
DATABASE_URL=postgresql+asyncpg://u:hidden@localhost/shop
export POSTGRES_SERVER=localhost
POSTGRES_PASSWORD="hidden"
BROKER_URL=redis://localhost/0
SECRET_KEY=hidden
"""


def _write(project: Development, **files: str) -> None:
    for name, text in files.items():
        path = project.directory / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _proposed(project: Development, *options: str) -> dict[str, Any]:
    done = project.run("init", "--json", *options)
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    assert "hidden" not in done.stdout
    return content


def _declared(content: dict[str, Any]) -> dict[str, Any]:
    declared: dict[str, Any] = tomllib.loads(content["declaration"])["tool"]["realservices"]
    return declared


def test_what_files_say_becomes_a_declaration(development: Development) -> None:
    files = {"pyproject_dot_toml": _PYPROJECT, "docker-compose_dot_yml": _COMPOSE, "_dot_env_dot_example": _VARIABLES}
    _write(development, **files, db__migrations__1_dot_sql="-- +goose Up\nCREATE TABLE a ();\n-- +goose Down\n")
    content = _proposed(development)
    assert content["services"]["postgres"][0] == "docker-compose.yml:8 (postgres:15-alpine)"
    assert content["services"]["redis"] == ["pyproject.toml (fakeredis)", ".env.example (BROKER_URL)"]
    assert content["services"]["clickhouse"] == ["pyproject.toml (clickhouse-connect)"]
    assert _declared(content) == {
        "services": {
            "db": {"kind": "postgres", "migrations": ["db/migrations/*.sql"], "layout": "goose"},
            "cache": {"kind": "redis"},
            "analytics": {"kind": "clickhouse"},
        },
        "env": {
            "DATABASE_URL": "$(url db asyncpg)",
            "POSTGRES_SERVER": "$(host db)",
            "POSTGRES_PASSWORD": "$(password db)",
            "BROKER_URL": "$(url cache)",
            "PGPORT": "$(port db)",
            "REDIS_HOST": "$(host cache)",
        },
    }
    assert content["extras"] == ["clickhouse", "postgres", "redis", "sqlalchemy", "xdist"]
    questions = "\n".join(content["questions"])
    assert "docker-compose.yml:3: 'web' is built here" in questions
    assert "docker-compose.yml:8 runs PostgreSQL 15-alpine" in questions
    assert "docker-compose.yml:12: there is no kind of service for rabbitmq" in questions
    assert "docker-compose.yml:14: docs/catalog.md has S3" in questions
    assert "our fixtures can replace FakeRedis: isolated_redis" in questions
    assert not content["written"]
    assert content["build"] == ""
    assert (development.directory / "pyproject.toml").read_text() == _PYPROJECT


@pytest.mark.parametrize(
    ("files", "migrate"),
    [
        ({"alembic_dot_ini": "[alembic]\nscript_location = %(here)s/db\n"}, ["-m", "alembic", "upgrade", "head"]),
        (
            {"manage_dot_py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'a')"},
            ["manage.py", "migrate", "--noinput"],
        ),
    ],
)
def test_migrators(development: Development, files: dict[str, str], migrate: list[str]) -> None:
    _write(development, pyproject_dot_toml="", requirements_dot_txt="psycopg2-binary==2.9  # driver\n", **files)
    content = _proposed(development)
    db = _declared(content)["services"]["db"]
    assert db["migrate"] == [["{python}", *migrate]]
    assert db["inputs"][0] in ("alembic.ini", "manage.py")
    assert content["services"]["postgres"] == ["requirements.txt (psycopg2-binary)"]


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"db__1_dot_sql": 'CREATE EXTENSION "uuid-ossp";\n'}, "db/1.sql wants uuid-ossp"),
        (
            {
                "alembic_dot_ini": "[alembic]\nscript_location = alembic\n",
                "alembic__versions__1_dot_py": "op.execute('CREATE EXTENSION IF NOT EXISTS pgcrypto')\n",
                "requirements_dot_txt": "asyncpg\n",
            },
            "alembic/versions/1.py wants pgcrypto",
        ),
    ],
)
def test_extensions_that_are_to_be_fetched(development: Development, files: dict[str, str], where: str) -> None:
    _write(development, **files)
    assert f"{where}, which the PostgreSQL of the extra" in "\n".join(_proposed(development)["questions"])
    _write(development, MODULE_dot_bazel="module(name = 'a')\n")
    assert where not in "\n".join(_proposed(development)["questions"])


def test_names_that_settings_read(development: Development) -> None:
    settings = """
DATABASE = {"HOST": os.getenv("DB_HOST", ""), "PORT": envint("DB_PORT", "5432"), "NAME": env.str("DB_NAME")}
CACHE = os.environ.get("REDIS_HOST", "localhost")
OTHER = os.environ["SHOP_DATABASE_URL"] or os.getenv("TEST_DATABASE_URI_SYNC", "sqlite:///a.db")
"""
    files = {"manage_dot_py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')"}
    _write(
        development,
        pyproject_dot_toml="",
        requirements_dot_txt="psycopg\nredis\n",
        shop__settings_dot_py=settings,
        **files,
    )
    for skipped in (".venv/settings.py", "lib/settings.py", "a/b/c/d/e/f/g/h/i/j/k/settings.py"):
        path = development.directory / skipped
        path.parent.mkdir(parents=True)
        path.write_text('os.getenv("PGPORT")', encoding="utf-8")
    (development.directory / "lib" / "pyvenv.cfg").touch()
    content = _proposed(development)
    declared = _declared(content)
    references = {"DB_HOST": "$(host db)", "DB_PORT": "$(port db)", "DB_NAME": "$(database db)"}
    assert declared["env"] == {**references, "REDIS_HOST": "$(host cache)"}
    assert declared["services"]["db"]["migrate_env"] == {
        name: value.replace(" db", "") for name, value in references.items()
    }
    questions = "\n".join(content["questions"])
    assert 'shop/settings.py reads SHOP_DATABASE_URL: `SHOP_DATABASE_URL = "$(url db)"` in the table env' in questions
    assert 'for the migrator, `SHOP_DATABASE_URL = "$(url psycopg)"` in migrate_env' in questions
    assert "shop/settings.py reads TEST_DATABASE_URI_SYNC" in questions
    assert "add migrate_env" not in questions


def test_names_that_classes_of_settings_read(development: Development) -> None:
    settings = """
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    POSTGRES_SERVER: str
    postgres_port: int = 5432
    host_of_redis: str = Field("localhost", alias="REDIS_HOST")
    sqlalchemy_database_uri: str = ""
    debug: bool = False


class Other(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="shop_")
    db_name: str = "shop"


class Plain:
    DB_USER: str = "no"
"""
    (development.directory / "realservices.toml").unlink(missing_ok=True)
    _write(
        development, pyproject_dot_toml="", requirements_dot_txt="asyncpg\nredis\n", app__config_dot_py=settings,
        app__settings_dot_py="class Broken(BaseSettings:\n",
    )  # fmt: skip
    content = _proposed(development)
    assert _declared(content)["env"] == {
        "POSTGRES_SERVER": "$(host db)", "POSTGRES_PORT": "$(port db)", "REDIS_HOST": "$(host cache)",
        "SHOP_DB_NAME": "$(database db)",
    }  # fmt: skip
    questions = "\n".join(content["questions"])
    assert "app/config.py reads SQLALCHEMY_DATABASE_URI" in questions
    assert "`password = false` in its table" in questions


def test_it_is_written_where_that_is_wanted_and_serves(development: Development) -> None:
    development.with_servers()
    (development.directory / "realservices.toml").unlink(missing_ok=True)
    _write(development, schema_dot_sql="CREATE TABLE t (); ", _dot_env="DB_HOST=localhost\n", MODULE_dot_bazel="")
    done = development.run("init", "--write")
    assert done.returncode == 0, done.stderr
    assert "Written to" in done.stdout
    assert 'migrations = glob(["schema.sql"]),' in done.stdout
    script = "import os; print(os.environ['DB_HOST'])"
    assert development.run("exec", "--", sys.executable, "-c", script).stdout == "127.0.0.1\n"
    again = development.run("init")
    assert again.returncode == 1
    assert "realservices.toml declares services already" in again.stderr


def test_nothing_is_found(development: Development) -> None:
    (development.directory / "realservices.toml").unlink(missing_ok=True)
    _write(development, pyproject_dot_toml="[project]\nname = 'a'\n")
    done = development.run("init")
    assert done.returncode == 1
    assert "Nothing here speaks of PostgreSQL, Redis, ClickHouse or MariaDB" in done.stdout


def test_files_that_cannot_be_read_are_named(development: Development) -> None:
    (development.directory / "realservices.toml").unlink(missing_ok=True)
    _write(development, alembic_dot_ini="no section", requirements_dot_txt="asyncpg\n")
    (development.directory / ".env").write_bytes(b"\xff")
    content = json.loads(development.run("init", "--json").stdout)
    questions = "\n".join(content["questions"])
    assert "not read: alembic.ini: " in questions
    assert "not read: .env: " in questions
