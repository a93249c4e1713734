"""What `init` proposes for projects of the shapes that teams have: which program or files make the schema, which names."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from realservices.cli.proposal.project_evidence import look
from realservices.cli.proposal.proposed_target import build_text
from realservices.cli.proposal.proposed_toml import propose

if TYPE_CHECKING:
    from pathlib import Path

_FLASK_ENV = "from flask import current_app\nconfig.set_main_option('sqlalchemy.url', get_engine_url())\n"
_MANAGE = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site.settings')\n"
_GOOSE = "-- +goose Up\nSELECT 1;\n-- +goose Down\n"
_FLASK = ["{python}", "-m", "flask", "db", "upgrade"]


def _proposed(root: Path, files: dict[str, str]) -> tuple[dict[str, Any], str]:
    """Return the declaration and the questions."""
    for name, text in {"requirements.txt": "asyncpg\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    proposal = propose(look(root))
    return tomllib.loads(proposal.toml("")), "\n".join(proposal.questions)


def _database(root: Path, files: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = _proposed(root, files)[0]["services"]["db"]
    return found


@pytest.mark.parametrize(
    ("files", "command", "inputs"),
    [
        (
            {"alembic.ini": "[alembic]\nscript_location = ./db\n", "db/env.py": ""},
            ["{python}", "-m", "alembic", "upgrade", "head"],
            ["alembic.ini", "db/**/*.py"],
        ),
        (
            {"src/alembic.ini": "[alembic]\nscript_location = migrations\n", "src/migrations/env.py": ""},
            ["sh", "-c", 'cd src && exec "$$@"', "sh", "{python}", "-m", "alembic", "upgrade", "head"],
            ["src/alembic.ini", "src/migrations/**/*.py"],
        ),
        (
            {"pyproject.toml": '[tool.alembic]\nscript_location = "%(here)s/db"\n', "db/env.py": ""},
            ["{python}", "-m", "alembic", "upgrade", "head"],
            ["pyproject.toml", "db/**/*.py"],
        ),
        (
            {"alembic.ini": "[alembic]\nscript_location = shop.db:scripts\n", "shop/db/scripts/env.py": ""},
            ["{python}", "-m", "alembic", "upgrade", "head"],
            ["alembic.ini", "shop/db/scripts/**/*.py"],
        ),
        ({"app.py": "", "migrations/alembic.ini": "[alembic]\n", "migrations/env.py": _FLASK_ENV}, _FLASK, ["migrations/**/*.py"]),
        (
            {
                "shop/__init__.py": "def create_app():\n    pass\n",
                "shop/db/alembic.ini": "[alembic]\n",
                "shop/db/env.py": _FLASK_ENV,
            },
            ["{python}", "-m", "flask", "--app", "shop", "db", "upgrade", "--directory", "shop/db"],
            ["shop/db/**/*.py"],
        ),
        (
            {
                ".flaskenv": "FLASK_APP=shop.web\n",
                "migrations/alembic.ini": "[alembic]\n",
                "migrations/env.py": _FLASK_ENV,
            },
            ["{python}", "-m", "flask", "--app", "shop.web", "db", "upgrade"],
            ["migrations/**/*.py"],
        ),
        (
            {"src/manage.py": _MANAGE, "src/site/settings.py": "", "src/shop/models/a.py": ""},
            ["{python}", "src/manage.py", "migrate", "--noinput"],
            ["src/manage.py", "**/settings*.py", "**/models/*.py"],
        ),
    ],
)  # fmt: skip
def test_the_program_that_makes_the_schema(
    tmp_path: Path, files: dict[str, str], command: list[str], inputs: list[str]
) -> None:
    database = _database(tmp_path, files)
    assert database["migrate"] == [command]
    assert database["inputs"] == inputs


def test_a_project_below_with_tests_of_its_own_is_named(tmp_path: Path) -> None:
    files = {"backend/alembic.ini": "[alembic]\nscript_location = db\n", "backend/pyproject.toml": ""}
    declared, questions = _proposed(tmp_path, files)
    assert declared["services"]["db"] == {"kind": "postgres"}
    assert "backend/alembic.ini belongs to backend/, which has tests of its own: run init there, too" in questions
    assert "no migrations were found, so that the database of 'db' is empty" in questions


@pytest.mark.parametrize(
    ("names", "declared"),
    [
        (["db/migration/1_a.up.sql", "db/migration/1_a.down.sql", "db/query/a.sql"], ["db/migration/*.sql"]),
        (
            ["db/clickhouse/migrations/1.sql", "prisma/migrations/1_a/migration.sql"],
            ["prisma/migrations/*/migration.sql"],
        ),
        (["migrations/setup.sql", "migrations/2024_a/up.sql"], ["migrations/*/up.sql"]),
        (["my-mysql/db/migration/V1__a.sql", "pg/db/migration_postgres/V1__a.sql"], ["pg/db/migration_postgres/*.sql"]),
        (["src/main/resources/db/migration/V1__a.sql"], ["src/main/resources/db/migration/*.sql"]),
        (["db/migration/V1__a.sql", "db/migration/more/V2__b.sql"], ["db/migration/**/*.sql"]),
        (["sqitch.plan", "deploy/a.sql", "revert/a.sql"], ["sqitch.plan", "deploy/*.sql"]),
        (["schema/tables.sql"], ["schema/*.sql"]),
        (["schema.sql", "queries/a.sql"], ["schema.sql"]),
        (["db/structure.sql", "db/migrate/1_a.rb", "db/other.sql"], ["db/structure.sql"]),
        (["priv/repo/structure.sql", "priv/repo/migrations/1_a.exs", "mix.exs"], ["priv/repo/structure.sql"]),
        (["res/db/mysql/schema.sql", "res/db/postgres/schema.sql"], ["res/db/postgres/schema.sql"]),
        (["migration/MYSQL/V1__a.sql", "migration/POSTGRESQL/V1__a.sql"], ["migration/POSTGRESQL/*.sql"]),
        (["oauth2/migrations/1.sql"], ["oauth2/migrations/*.sql"]),
        (["__tests__/migrations/1.sql", "a/b/c/migrations/1.sql"], ["a/b/c/migrations/*.sql"]),
        (["migrations/current.sql", "migrations/committed/1.sql"], ["migrations/committed/*.sql"]),
        (["a/b/c/d/e/f/g/h/migration/V1__a.sql"], ["a/b/c/d/e/f/g/h/migration/*.sql"]),
    ],
)
def test_the_files_that_make_the_schema(tmp_path: Path, names: list[str], declared: list[str]) -> None:
    database = _database(tmp_path, dict.fromkeys(names, ""))
    assert database["migrations"] == declared


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("sqlc.yaml", "sql:\n  - engine: postgresql\n    schema: 'far/away'\n"),
        ("drizzle.config.ts", "export default {\n  out: './far/away',\n  dialect: 'postgresql',\n}\n"),
        ("atlas.hcl", 'env "a" {\n  migration {\n    dir = "file://far/away"\n  }\n}\n'),
        ("far/diesel.toml", '[migrations_directory]\ndir = "away"\n'),
        (".env", "DBMATE_MIGRATIONS_DIR=./far/away\n"),
    ],
)
def test_a_folder_that_a_tool_is_told(tmp_path: Path, file: str, text: str) -> None:
    files = {file: text, "migrations/1.sql": "", "far/away/1.sql": ""}
    declared, questions = _proposed(tmp_path, files)
    assert declared["services"]["db"]["migrations"] == ["far/away/*.sql"]
    assert "SQL is in migrations/*.sql, too" in questions


def test_links_that_lead_nowhere_are_passed_over(tmp_path: Path) -> None:
    for name in (".env", "package.json", "1.sql", "schema.prisma", "knexfile.js", "alembic.ini", "docker-compose.yml"):
        (tmp_path / "migrations").mkdir(exist_ok=True)
        for folder in (tmp_path, tmp_path / "migrations"):
            (folder / name).symlink_to("/nowhere/at/all")
    assert "services" in _proposed(tmp_path, {})[0]


@pytest.mark.parametrize(
    "text", ["CREATE TABLE `a` (id int);", "CREATE TABLE a (id int) ENGINE = MergeTree;", "id int AUTO_INCREMENT"]
)
def test_statements_of_another_database_are_no_sign(tmp_path: Path, text: str) -> None:
    assert "migrations" not in _database(tmp_path, {"migrations/1.sql": text})
    files = {"migrations/1.sql": f"{text}\nCREATE TABLE b (id serial);"}
    assert "migrations" in _database(tmp_path, files)


def test_rows_beside_a_whole_schema_are_seeds(tmp_path: Path) -> None:
    files = {"db/postgres/schema.sql": "", "db/postgres/data.sql": "", "db/postgres/drop.sql": ""}
    assert _database(tmp_path, files) == {
        "kind": "postgres",
        "migrations": ["db/postgres/schema.sql"],
        "seeds": ["db/postgres/data.sql"],
    }


_UP = "CREATE TABLE a (id int);"


@pytest.mark.parametrize(
    ("files", "layout"),
    [
        ({"Cargo.toml": 'sqlx = { version = "0.8" }\n', "migrations/1_a.sql": _UP}, "sqlx"),
        ({"Cargo.toml": '[dependencies.refinery]\nversion = "1"\n', "migrations/V1__a.sql": _UP}, "refinery"),
        ({"Cargo.toml": 'diesel = "2"\n', "migrations/1_a/up.sql": _UP}, "diesel"),
        ({"go.mod": "require github.com/golang-migrate/migrate/v4 v4.18.1\n", "db/migrations/1_a.up.sql": _UP}, "golang-migrate"),
        ({"go.mod": "require (\n\tgithub.com/pressly/goose/v3 v3.1.0\n)\n", "db/migrations/1_a.sql": "-- +goose Up\n"}, "goose"),
        ({"package.json": '{"devDependencies": {"postgrator": "1"}}', "migrations/1.do.a.sql": _UP}, "postgrator"),
        ({"migrations/V1__a.sql": _UP}, "flyway"),
        # The tool is there, and would not apply these.
        ({"Cargo.toml": 'sqlx = "0.8"\n', "schema/tables.sql": _UP}, None),
    ],
)  # fmt: skip
def test_the_layout_of_the_tool_that_a_project_has(tmp_path: Path, files: dict[str, str], layout: str | None) -> None:
    declared, questions = _proposed(tmp_path, files)
    assert declared["services"]["db"].get("layout") == layout
    assert "is to be applied" not in questions


def test_what_flyway_fills_in_is_asked_about(tmp_path: Path) -> None:
    declared, questions = _proposed(tmp_path, {"db/migration/R__a.sql": "CREATE TABLE ${name} (id int);"})
    assert declared["services"]["db"]["layout"] == "flyway"
    assert "how db/migration/*.sql is to be applied: db/migration/R__a.sql, line 1: Flyway would put a" in questions


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "x uuid REFERENCES auth.users",
            "db/1.sql wants 'auth.users', which Supabase's servers come with: docs/schema.md",
        ),
        ("GRANT SELECT ON a TO anon;", "db/1.sql wants 'TO anon', which Supabase's"),
        ("CREATE TABLE {{ .Schema }}.a (x int);", "db/1.sql has '{{ .Schema }}', where a tool puts a value"),
        (
            "GRANT USAGE ON SCHEMA a TO :DATABASE_VISITOR;",
            "db/1.sql has ':DATABASE_VISITOR', where a tool puts a value",
        ),
        ("CREATE SCHEMA auth;\nCREATE TABLE auth.users (t time DEFAULT '10:00');", ""),
        ("SELECT 'a'::TEXT, x[1:LENGTH];", ""),
    ],
)
def test_what_files_want_is_asked_about(tmp_path: Path, text: str, words: str) -> None:
    _, questions = _proposed(tmp_path, {"db/1.sql": text})
    assert words in questions
    assert bool(words) == bool(questions)


def test_files_that_drizzles_journal_does_not_list_are_asked_about(tmp_path: Path) -> None:
    files = {"drizzle/meta/_journal.json": '{"dialect": "postgresql", "entries": []}', "drizzle/0001_a.sql": _UP}
    _, questions = _proposed(tmp_path, files)
    assert "drizzle/0001_a.sql is not in drizzle/meta/_journal.json, so that drizzle does not apply it" in questions


def test_folders_that_a_tool_has_marked(tmp_path: Path) -> None:
    files = {
        "drizzle/0000_a.sql": "",
        "drizzle/meta/_journal.json": '{"version": "7", "dialect": "postgresql"}',
        "other/migrations/0000_a.sql": "",
        "other/migrations/meta/_journal.json": '{"version": "7", "dialect": "sqlite"}',
        "mysql/prisma/migrations/1_a/migration.sql": "",
        "prisma/migrations/1_a/migration.sql": "",
        "prisma/migrations/migration_lock.toml": 'provider = "mysql"\n',
    }
    assert _database(tmp_path, files)["migrations"] == ["drizzle/*.sql"]


def test_what_supabase_seeds(tmp_path: Path) -> None:
    files = {"supabase/migrations/20240101_a.sql": "", "supabase/seed.sql": "", "supabase/config.toml": ""}
    assert _database(tmp_path, files) == {
        "kind": "postgres",
        "migrations": ["supabase/migrations/*.sql"],
        "seeds": ["supabase/seed.sql"],
    }


def test_files_in_several_places_are_asked_about(tmp_path: Path) -> None:
    _, questions = _proposed(tmp_path, {"migrations/a/1.sql": "", "migrations/b/1.sql": ""})
    assert "SQL is in migrations/b/*.sql, too: take what makes the tests' schema" in questions


def test_a_layout_that_cannot_be_applied_is_asked_about(tmp_path: Path) -> None:
    declared, questions = _proposed(tmp_path, {"migrations/1_a.sql": _GOOSE, "migrations/2_b.go": ""})
    assert declared["services"]["db"]["layout"] == "goose"
    assert "how migrations/*.sql is to be applied: migrations/2_b.go is a migration that only goose itself" in questions


@pytest.mark.parametrize(
    ("requirements", "code", "reference"),
    [
        ("asyncpg\n", "os.environ['DATABASE_URL']", "$(url db)"),
        ("asyncpg\nSQLAlchemy\n", "os.environ['DATABASE_URL']", "$(url db asyncpg)"),
        ("psycopg[binary]\nsqlmodel\n", "os.getenv('DATABASE_URL')", "$(url db psycopg)"),
        ("psycopg2\nFlask-SQLAlchemy\n", "os.getenv('DATABASE_URL', '')", "$(url db)"),
        ("psycopg\nasyncpg\nSQLAlchemy\n", "os.getenv('DATABASE_URL')", "$(url db)"),
        ("asyncpg\n", "os.getenv('DATABASE_URL', 'postgresql+psycopg://localhost')", "$(url db psycopg)"),
        ("asyncpg\n", "os.getenv('DATABASE_URL', 'sqlite:///a.db')", None),
    ],
)
def test_a_name_that_is_given_anyway_is_there_before_imports(
    tmp_path: Path, requirements: str, code: str, reference: str | None
) -> None:
    declared, questions = _proposed(tmp_path, {"requirements.txt": requirements, "shop/main.py": f"URL = {code}\n"})
    assert declared.get("env", {}).get("DATABASE_URL") == reference
    assert ("shop/main.py reads DATABASE_URL" in questions) == (reference is None)


def test_what_a_migrator_is_given_anyway_is_not_repeated(tmp_path: Path) -> None:
    files = {"manage.py": _MANAGE, "site/settings.py": "URL = env('DATABASE_URL')\n"}
    declared, questions = _proposed(tmp_path, files)
    assert declared["env"] == {"DATABASE_URL": "$(url db)"}
    assert "migrate_env" not in declared["services"]["db"]
    assert "the migrator gets DATABASE_URL" not in questions


def test_the_beginning_of_an_address_is_no_address(tmp_path: Path) -> None:
    declared, _ = _proposed(tmp_path, {"config.py": "PREFIX = os.getenv('POSTGRES_PREFIX', 'postgresql://')\n"})
    assert "env" not in declared


def test_names_in_any_file_of_a_project_but_not_in_its_tests(tmp_path: Path) -> None:
    files = {
        "a/worker.py": "HOST = os.environ.get('DB_HOST')\nX = config('DB_USER')\n",
        "a/test_a.py": "os.getenv('DB_PORT')",
    }
    assert _proposed(tmp_path, files)[0]["env"] == {"DB_HOST": "$(host db)", "PGPORT": "$(port db)"}


def test_a_redis_that_asks_for_a_password(tmp_path: Path) -> None:
    files = {"requirements.txt": "redis\n", "app.py": "os.getenv('REDIS_HOST'), os.getenv('REDIS_URL')\n"}
    assert "with `password = false` in its table it asks for none" in _proposed(tmp_path, files)[1]
    files["app.py"] += "os.getenv('REDIS_PASSWORD')\n"
    assert "password = false" not in _proposed(tmp_path, files)[1]


def test_variables_that_a_migrator_wants(tmp_path: Path) -> None:
    settings = "KEY = os.environ['A_KEY']\nHOST = os.environ['DB_HOST']\nclass S(BaseSettings):\n    token: str\n    url: str = ''\n"
    _, questions = _proposed(tmp_path, {"manage.py": _MANAGE, "site/settings.py": settings})
    assert "code wants A_KEY, TOKEN, and a migrator has nothing of your shell's environment" in questions
    (tmp_path / "manage.py").unlink()
    assert "code wants" not in _proposed(tmp_path, {})[1]


def test_an_environment_that_is_replaced(tmp_path: Path) -> None:
    files = {"app/main.py": "load_dotenv(find_dotenv(), override=True)\n", "app/other.py": "load_dotenv()\n"}
    _, questions = _proposed(tmp_path, files)
    assert (
        "app/main.py has the values of .env replace those of the environment: tests would reach the serv" in questions
    )
    assert "app/other.py" not in questions


def test_settings_within_settings(tmp_path: Path) -> None:
    code = """
class Database(BaseModel):
    hostname: str = "db"
    db: str = "app"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__", env_prefix="app_")
    database: Database = Field(default_factory=Database)
    postgres: Database = Database()
"""
    assert _proposed(tmp_path, {"config.py": code})[0]["env"] == {
        "APP_DATABASE__HOSTNAME": "$(host db)",
        "APP_DATABASE__DB": "$(database db)",
        "APP_POSTGRES__HOSTNAME": "$(host db)",
        "APP_POSTGRES__DB": "$(database db)",
        "PGPORT": "$(port db)",
    }


def test_names_that_speak_of_another_database(tmp_path: Path) -> None:
    files = {"config.py": "os.getenv('MONGO_DB_NAME'), os.getenv('IP_GEO_DATABASE_NAME'), os.getenv('MONGO_DB_URL')\n"}
    declared, questions = _proposed(tmp_path, files)
    assert "env" not in declared
    assert "MONGO_DB_URL" not in questions


def test_each_database_of_django_has_a_service(tmp_path: Path) -> None:
    settings = """
DATABASES = {
    "default": {"ENGINE": "django.db.backends.postgresql", "HOST": os.environ["DB_HOST"]},
    "reports": env.db("REPORTS_DATABASE_URL", default="postgres://localhost/reports"),
    "old": {"ENGINE": "django.db.backends.sqlite3"},
} if not STATIC else {}
"""
    declared, questions = _proposed(tmp_path, {"manage.py": _MANAGE, "site/settings.py": settings})
    services = declared["services"]
    assert services["db"]["migrate"] == [["{python}", "manage.py", "migrate", "--noinput"]]
    assert services["reports"]["migrate"] == [
        ["{python}", "manage.py", "migrate", "--noinput", "--database", "reports"]
    ]
    assert services["reports"]["migrate_env"] == {"DB_HOST": "$(host)", "REPORTS_DATABASE_URL": "$(url)"}
    references = {"DB_HOST": "$(host db)", "REPORTS_DATABASE_URL": "$(url reports)", "PGPORT": "$(port db)"}
    assert declared["env"] == references
    assert 'site/settings.py: with "TEST": {"TEMPLATE": "realservices_template"}' in questions
    assert "site/settings.py has the database old, too: where it is PostgreSQL" in questions


def test_a_service_that_several_compose_files_speak_of_is_one(tmp_path: Path) -> None:
    compose = (
        "services:\n  db:\n    image: postgres:17\n  web:\n    image: '${REGISTRY}/web'\n  mail:\n    image: mailpit\n"
    )
    override = "services:\n  db:\n    ports: []\n  mail:\n    restart: always\n  web:\n    build: .\n"
    _, questions = _proposed(tmp_path, {"compose.yml": compose, "compose.override.yml": override})
    lines = [line for line in questions.splitlines() if "compose" in line]
    assert [line.partition(": ")[2][:35] for line in lines] == [
        "there is no kind of service for mai",
        "'web' is built here; where tests ne",
        "",
    ]


def test_clients_of_a_host_alone_find_the_port(tmp_path: Path) -> None:
    read = "import os\nHOST = os.environ.get('TEST_POSTGRESQL_HOST', 'localhost')\n"
    declared, _ = _proposed(tmp_path, {"conftest.py": read})
    assert declared["env"] == {"TEST_POSTGRESQL_HOST": "$(host db)", "PGPORT": "$(port db)"}
    declared, _ = _proposed(tmp_path, {"conftest.py": f"{read}PORT = os.environ['TEST_POSTGRESQL_PORT']\n"})
    assert declared["env"] == {"TEST_POSTGRESQL_HOST": "$(host db)", "TEST_POSTGRESQL_PORT": "$(port db)"}


def test_tortoise_is_given_the_scheme_that_it_knows(tmp_path: Path) -> None:
    read = "import os\nURL = os.environ.get('DATABASE_URL')\nTESTS = os.environ.get('DATABASE_TEST_URL')\n"
    declared, questions = _proposed(tmp_path, {"requirements.txt": "tortoise-orm\nasyncpg\n", "config.py": read})
    assert declared["env"] == {"DATABASE_URL": "$(url db postgres)"}
    assert "config.py reads DATABASE_TEST_URL" in questions


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("setup.py", "extras = {'queue': ['redis[hiredis]>=4', 'psycopg2']}\nsetup(extras_require=extras)\n"),
        ("setup.py", "setup(name='a', install_requires=['redis<6', 'psycopg2-binary; python_version>\"3\"'])\n"),
        ("setup.cfg", "[options]\ninstall_requires =\n    redis>=4\n[options.extras_require]\ndb = psycopg[pool]\n"),
        ("Pipfile", '[packages]\nredis = "*"\n[dev-packages]\npsycopg2 = {version = "2"}\n'),
        ("environment.yml", "dependencies:\n  - python=3.12\n  - psycopg2=2.9\n  - pip:\n      - redis==5.0\n"),
        ("requirements/base.in", "redis\npsycopg[binary]\n"),
        ("requirements-dev.in", "redis\npsycopg[binary]\n"),
        ("pyproject.toml", "[tool.uv]\ndev-dependencies = ['redis', 'psycopg']\n"),
        ("pyproject.toml", "[tool.pdm.dev-dependencies]\ntest = ['redis', 'psycopg']\n"),
        ("pyproject.toml", "[tool.hatch.envs.default]\nextra-dependencies = ['redis', 'psycopg']\n"),
        ("pyproject.toml", "[tool.poetry.dev-dependencies]\nredis = '5'\npsycopg = '3'\n"),
    ],
)  # fmt: skip
def test_dependencies_of_python_are_found_where_projects_have_them(tmp_path: Path, file: str, text: str) -> None:
    declared, questions = _proposed(tmp_path, {"requirements.txt": "", file: text})
    assert {service["kind"] for service in declared["services"].values()} == {"postgres", "redis"}
    assert "not read" not in questions


def test_words_of_a_setup_that_are_no_dependencies(tmp_path: Path) -> None:
    setup = "setup(name='redis', keywords=['redis', 'psycopg'], packages=['redis'])\n"
    declared, _ = _proposed(tmp_path, {"setup.py": setup})
    assert [service["kind"] for service in declared["services"].values()] == ["postgres"]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("setup.cfg", "no section\n", "not read: setup.cfg: File contains no section headers."),
        ("Pipfile", "[packages\n", "not read: Pipfile: "),
    ],
)
def test_files_of_dependencies_that_cannot_be_read_are_named(
    tmp_path: Path, file: str, text: str, message: str
) -> None:
    assert message in _proposed(tmp_path, {file: text})[1]


@pytest.mark.parametrize(
    ("file", "code", "told"),
    [
        ("tests/helpers.py", "def f(url='redis://localhost:6379/1'): pass", "tests/helpers.py:1 has the address redis://localhost:6379"),
        ("conftest.py", "X = f'rediss'\nA = f'redis://u:secret@127.0.0.1/{0}'", "conftest.py:2 has the address redis://127.0.0.1:"),
        ("api/test_a.py", "URL = 'redis://redis:6379'", ""),
        ("app/cache.py", "URL = 'redis://localhost:6379'", ""),
        ("tests/test_a.py", "URL = os.getenv('REDIS_URL', 'redis://localhost:6379')", ""),
        ("tests/test_a.py", "monkeypatch.setenv('REDIS_URL', 'redis://localhost:6379')", ""),
        ("tests/test_a.py", "patch.dict(os.environ, {'REDIS_URL': 'redis://localhost:6379'})", ""),
        ("tests/test_a.py", "URL = 'http://localhost:80'", ""),
    ],
)  # fmt: skip
def test_addresses_that_tests_have_in_them(tmp_path: Path, file: str, code: str, told: str) -> None:
    _, questions = _proposed(tmp_path, {"requirements.txt": "redis\n", file: code})
    assert ("has the address" in questions) == bool(told)
    assert told in questions
    assert "secret" not in questions


def test_clusters_of_redis_are_none_of_ours(tmp_path: Path) -> None:
    names = ("TEST_REDIS_URL", "TEST_REDIS_CLUSTER_URL", "REDIS_SENTINEL_HOST")
    code = "".join(f"os.getenv('{name}', 'redis://localhost')\n" for name in names)
    declared, _ = _proposed(tmp_path, {"requirements.txt": "redis\n", "config.py": code})
    assert declared["env"] == {"TEST_REDIS_URL": "$(url cache)"}


_MERGE_TREE = "CREATE TABLE a (b Int8) ENGINE = MergeTree ORDER BY b;\n"
_INNODB = "CREATE TABLE a (b INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB;\n"


@pytest.mark.parametrize(
    ("files", "service", "lines", "question"),
    [
        (
            {"db/clickhouse/migrations/1_a.sql": "", "db/clickhouse/schema.sql": ""},
            ("analytics", "clickhouse-connect"),
            {"schema": ["db/clickhouse/migrations/*.sql"]},
            "SQL is in db/clickhouse/schema.sql, too: take what makes the tests' schema",
        ),
        ({"migrations/1_a.sql": _MERGE_TREE}, ("analytics", "clickhouse-driver"), {"schema": ["migrations/*.sql"]}, ""),
        ({"migrations/1_a.sql": _INNODB}, ("shop", "mariadb"), {"migrations": ["migrations/*.sql"]}, ""),
        (
            {"migrations/1_a.sql": "CREATE TABLE a (b JSONB)"},
            ("shop", "mariadb"),
            {},
            "the database of 'shop' is empty: name files of SQL in the key migrations (docs/mariadb.md)",
        ),
        (
            {},
            ("analytics", "clickhouse-connect"),
            {},
            "the database of 'analytics' is empty: name files of SQL in the key schema (docs/clickhouse.md)",
        ),
    ],
)  # fmt: skip
def test_sql_of_other_kinds(
    tmp_path: Path, files: dict[str, str], service: tuple[str, str], lines: dict[str, Any], question: str
) -> None:
    name, package = service
    declared, questions = _proposed(tmp_path, {"requirements.txt": package, **files})
    found = declared["services"][name]
    assert {key: value for key, value in found.items() if key != "kind"} == lines
    assert question in questions
    assert ("is empty" in questions) == (not lines)


_ALEMBIC = {"alembic.ini": "[alembic]\nscript_location = db\n", "db/env.py": "os.environ['MARIADB_URL']"}


def test_the_program_makes_the_schema_of_one_kind(tmp_path: Path) -> None:
    declared, questions = _proposed(tmp_path, {"requirements.txt": "mariadb\nclickhouse-connect", **_ALEMBIC})
    shop, analytics = declared["services"]["shop"], declared["services"]["analytics"]
    assert shop["migrate"] == [["{python}", "-m", "alembic", "upgrade", "head"]]
    assert "migrate" not in analytics
    assert "the database of 'analytics' is empty" in questions


def test_the_program_makes_the_schema_of_postgresql_first(tmp_path: Path) -> None:
    declared, questions = _proposed(tmp_path, {"requirements.txt": "mariadb\nasyncpg", **_ALEMBIC})
    assert "migrate" in declared["services"]["db"]
    assert declared["services"]["shop"] == {"kind": "mariadb"}
    assert "the database of 'shop' is empty" in questions


def test_what_a_program_finds_another_kind_by(tmp_path: Path) -> None:
    files = {"requirements.txt": "mariadb", **_ALEMBIC, ".env": "SHOP_URL=mariadb+pymysql://a@b/c\n"}
    declared, _ = _proposed(tmp_path, files)
    assert declared["services"]["shop"]["migrate_env"] == {"SHOP_URL": "$(url pymysql)"}
    _, questions = _proposed(tmp_path, {**files, ".env": "", "db/env.py": ""})
    assert "the migrator gets MARIADB_URL and TEST_MARIADB_*; where it reads other names, add migrate_env" in questions


def test_targets_say_what_declarations_say(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "asyncpg\nclickhouse-connect\nmariadb\nredis",
        "goose/migrations/1_a.sql": _GOOSE,
        "clickhouse/schema.sql": _MERGE_TREE,
        "manage.py": _MANAGE,
    }
    _proposed(tmp_path, {name: text for name, text in files.items() if name != "manage.py"})
    text = build_text(propose(look(tmp_path)))
    migrations = 'migrations = glob(["goose/migrations/*.sql"]),\n    layout = "goose",'
    assert f'postgres_service(\n    name = "db",\n    {migrations}\n)' in text
    assert 'clickhouse_service(\n    name = "analytics",\n    schema = glob(["clickhouse/schema.sql"]),\n)' in text
    assert '\n\nmariadb_service(name = "shop")\n\n' in text
    _proposed(tmp_path, files)
    assert 'name = "db",\n    migrate = [":migrate"],' in build_text(propose(look(tmp_path)))
