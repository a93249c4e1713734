"""What `init` proposes for projects that are written in other languages: dependencies, programs, names."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from realservices.cli.proposal.project_evidence import look
from realservices.cli.proposal.proposed_toml import propose

if TYPE_CHECKING:
    from pathlib import Path

_PRISMA = 'datasource db {\n  provider = "postgresql"\n  url = env("APP_DB_URL")\n}\n'
_NPM = '{"dependencies": {"pg": "8", "sequelize-cli": "6", "node-pg-migrate": "7"}}'


def _proposed(root: Path, files: dict[str, str]) -> tuple[dict[str, Any], str]:
    """Return the declaration and the questions."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    proposal = propose(look(root))
    return tomllib.loads(proposal.toml("") if proposal.services else ""), "\n".join(proposal.questions)


@pytest.mark.parametrize(
    ("file", "text", "kinds"),
    [
        ("package.json", '{"dependencies": {"pg": "^8", "ioredis": "5"}, "scripts": {"mariadb": "x"}}', "postgres redis"),
        ("go.mod", "module a\n\nrequire (\n\tgithub.com/jackc/pgx/v5 v5.1.0\n)\n", "postgres"),
        ("go.mod", "module a\nrequire github.com/redis/go-redis/v9 v9.0.0 // indirect\n", "redis"),
        ("Cargo.toml", '[dependencies]\nsqlx = { version = "0.8", features = ["postgres"] }\n', "postgres"),
        ("Cargo.toml", '[dependencies]\nsqlx = { version = "0.8", features = ["sqlite"] }\n', ""),
        ("Cargo.toml", "[features]\npostgres = []\n", ""),
        ("a/Cargo.toml", "[workspace.dependencies]\ntokio-postgres.workspace = true\n", "postgres"),
        ("Gemfile", 'gem "pg", "~> 1.1"\n  gem \'sidekiq\'\n', "postgres redis"),
        ("pom.xml", "<groupId>org.postgresql</groupId>\n<artifactId>postgresql</artifactId>", "postgres"),
        ("build.gradle.kts", 'runtimeOnly("org.mariadb.jdbc:mariadb-java-client:3.1")', "mariadb"),
        ("mix.exs", 'defp deps, do: [{:postgrex, ">= 0.0.0"}]', "postgres"),
        ("composer.json", '{"require": {"ext-pdo_pgsql": "*", "predis/predis": "2"}}', "postgres redis"),
    ],
)  # fmt: skip
def test_dependencies_speak_for_a_kind(tmp_path: Path, file: str, text: str, kinds: str) -> None:
    declared, _ = _proposed(tmp_path, {file: text})
    assert {service["kind"] for service in declared.get("services", {}).values()} == set(kinds.split())


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    _, questions = _proposed(tmp_path, {"package.json": "{"})
    assert "not read: package.json: Expecting property name" in questions


@pytest.mark.parametrize(
    ("files", "command", "inputs"),
    [
        (
            {"knexfile.ts": "", "db/migrations/1_a.ts": ""},
            ["node_modules/.bin/knex", "--knexfile", "knexfile.ts", "migrate:latest"],
            ["knexfile.ts", "db/migrations"],
        ),
        (
            {"api/package.json": "{}", "api/src/knexfile.js": "", "api/migrations/1_a.js": "", "node_modules/.bin/knex": ""},
            ["sh", "-c", 'cd api && exec "$$@"', "sh", "../node_modules/.bin/knex", "--knexfile", "src/knexfile.js", "migrate:latest"],
            ["api/src/knexfile.js", "api/migrations"],
        ),
        (
            {".sequelizerc": "", "server/migrations/1-a.js": ""},
            ["node_modules/.bin/sequelize-cli", "db:migrate"],
            [".sequelizerc", "server/migrations"],
        ),
        (
            {"src/data-source.ts": "export const A = new DataSource({})", "src/migrations/1-a.ts": "", "src/a.entity.ts": ""},
            ["node_modules/.bin/typeorm-ts-node-commonjs", "migration:run", "-d", "src/data-source.ts"],
            ["src/data-source.ts", "src/migrations", "src/**/*.entity.ts"],
        ),
        (
            {"prisma/schema.prisma": _PRISMA},
            ["node_modules/.bin/prisma", "db", "push", "--schema", "prisma/schema.prisma"],
            ["prisma/schema.prisma"],
        ),
        (
            {"artisan": "", "composer.json": '{"require": {"ext-pgsql": "*"}}', "database/migrations/1_a.php": ""},
            ["php", "artisan", "migrate", "--force"],
            ["artisan", "database/migrations"],
        ),
        (
            {"db/schema.rb": "ActiveRecord::Schema[8.0].define do\nend\n"},
            ["bin/rails", "db:schema:load"],
            ["db/schema.rb"],
        ),
        (
            {"mix.exs": "[{:ecto_sql, '3'}]", "priv/repo/migrations/1_a.exs": ""},
            ["mix", "ecto.migrate"],
            ["mix.exs", "priv/repo/migrations"],
        ),
        (
            {"db/changelog-root.yaml": "databaseChangeLog:", "db/users/1.sql": "", "lib/other.sql": ""},
            ["liquibase", "--changelog-file", "db/changelog-root.yaml", "update"],
            ["db/changelog-root.yaml", "db/**/*.sql", "db/**/*.y*ml"],
        ),
        (
            {"api/src/main/resources/db/changelog/db.changelog-master.xml": "<databaseChangeLog>", "pom.xml": ""},
            ["sh", "-c", 'cd api/src/main/resources && exec "$$@"', "sh", "liquibase", "--changelog-file", "db/changelog/db.changelog-master.xml", "update"],
            ["api/src/main/resources/db/changelog/db.changelog-master.xml", "api/src/main/resources/db/changelog/**/*.xml"],
        ),
    ],
)  # fmt: skip
def test_the_program_that_makes_the_schema(
    tmp_path: Path, files: dict[str, str], command: list[str], inputs: list[str]
) -> None:
    declared, _ = _proposed(tmp_path, {"package.json": '{"dependencies": {"pg": "8"}}', **files})
    assert declared["services"]["db"]["migrate"] == [command]
    assert declared["services"]["db"]["inputs"] == inputs


def test_a_program_of_npms_without_migrations_of_its_own_is_none(tmp_path: Path) -> None:
    declared, _ = _proposed(tmp_path, {"package.json": _NPM, "knexfile.js": ""})
    assert "migrate" not in declared["services"]["db"]


def test_sql_comes_before_programs_that_write_it(tmp_path: Path) -> None:
    files = {"prisma/schema.prisma": _PRISMA, "prisma/migrations/1_a/migration.sql": "", "package.json": "{}"}
    declared, _ = _proposed(tmp_path, files)
    assert declared["services"]["db"]["migrations"] == ["prisma/migrations/*/migration.sql"]


def test_what_a_program_is_given_and_where_it_looks_in_vain(tmp_path: Path) -> None:
    files = {
        "mix.exs": "{:postgrex, ''}",
        "priv/repo/migrations/1_a.exs": "",
        "config/runtime.exs": 'System.get_env("PGHOST")',
    }
    declared, questions = _proposed(tmp_path, files)
    assert declared["services"]["db"]["migrate_env"] == {"MIX_ENV": "test", "PGHOST": "$(host)"}
    assert "'ecto.migrate': a migrator has a HOME of its own: where the tool looks there for its archives" in questions


@pytest.mark.parametrize(
    ("file", "text", "env"),
    [
        ("src/config/db.ts", "host: process.env.DB_HOST, port: process.env['DB_PORT']", {"DB_HOST": "host", "DB_PORT": "port"}),
        ("config/database.yml", 'host: <%= ENV.fetch("DB_HOST") { "" } %>', {"DB_HOST": "host"}),
        ("internal/config.go", 'os.Getenv("DB_USER")', {"DB_USER": "user"}),
        ("src/settings.rs", 'std::env::var("DB_NAME")', {"DB_NAME": "database"}),
        ("config/database.php", "env('DB_PASSWORD', 'a')", {"DB_PASSWORD": "password"}),
        ("src/application-postgres.properties", "url=${POSTGRES_URL:jdbc:postgresql://h/d}\nuser=${POSTGRES_USER}",
         {"POSTGRES_URL": "url db jdbc", "POSTGRES_USER": "user"}),
        ("src/orders.ts", "process.env.DB_HOST", {}),
    ],
)  # fmt: skip
def test_names_that_settings_read(tmp_path: Path, file: str, text: str, env: dict[str, str]) -> None:
    declared, _ = _proposed(tmp_path, {"package.json": '{"dependencies": {"pg": "8"}}', file: text})
    found = {name: f"$({field if ' ' in field else f'{field} db'})" for name, field in env.items()}
    if "DB_PORT" not in env and "DB_HOST" in found:
        found["PGPORT"] = "$(port db)"
    assert declared.get("env", {}) == found


def test_a_url_that_prisma_reads_is_asked_about(tmp_path: Path) -> None:
    _, questions = _proposed(
        tmp_path, {"prisma/schema.prisma": _PRISMA, "package.json": '{"dependencies": {"pg": "8"}}'}
    )
    assert 'prisma/schema.prisma reads APP_DB_URL: `APP_DB_URL = "$(url db)"` in the table env' in questions
