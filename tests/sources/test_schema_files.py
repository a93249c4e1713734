"""What a project's schema is made from in plain pytest: files, what they include, and templates that were built before."""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from realservices.contract.errors import TemplateError
from realservices.kinds.postgres.sources.included import Included
from realservices.kinds.postgres.sources.programs import postgres_distribution
from realservices.kinds.postgres.sources.recipe import postgres_recipe
from realservices.schema.layers import FILES_PER_LAYER
from realservices.sources.built_templates import ARCHIVE, BASE, template
from realservices.sources.declarations import Declaration
from realservices.sources.errors import SettingError
from realservices.sources.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

_PAGE = Path(__file__).parents[2] / "docs" / "schema.md"
_RAN = r"\! echo $$ >> ran" + "\n"


@pytest.fixture(autouse=True)
def _own_programs(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    # The servers of the target are looked for before nothing is known of them any more.
    name = "external" if "external" in request.fixturenames else "alone"
    alone: pytest.MonkeyPatch = request.getfixturevalue(name)
    distribution = os.environ["POSTGRES_DISTRIBUTION"]
    alone.setenv("REALSERVICES_POSTGRES", str(Path(os.environ.get("RUNFILES_DIR", "/")) / distribution))
    alone.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    return root


def _recipe(root: Path, **values: Any) -> Recipe:
    declaration = Declaration(
        "db", "postgres", "pyproject.toml: service 'db'", root, {"migrations": ["*.sql"], **values}
    )
    return postgres_recipe(declaration, postgres_distribution(), "test", "test")


def _build(root: Path, **values: Any) -> None:
    with template(_recipe(root, **values), "db"):
        pass


def _runs(root: Path) -> int:
    """How often a file with `_RAN` has been run."""
    return len((root / "ran").read_text().splitlines()) if (root / "ran").exists() else 0


@pytest.mark.parametrize("include", [r"\i parts/more.sql", r"\ir parts/more.sql", r"\include 'parts/more.sql'"])
def test_what_a_migration_includes_is_a_part_of_it_however_deep(project: Path, include: str) -> None:
    (project / "parts").mkdir()
    (project / "parts" / "more.sql").write_text(
        "CREATE TABLE a (x text);\n\\copy a from 'parts/rows.csv'\n\\ir deep.sql\n"
    )
    (project / "parts" / "rows.csv").write_text("one\n")
    (project / "parts" / "deep.sql").write_text("SELECT 1;\n")
    (project / "1.sql").write_text(f"{include}\n")
    _build(project)
    digests = {_recipe(project).digest}
    for name in ("more.sql", "rows.csv", "deep.sql"):
        with (project / "parts" / name).open("a") as file:
            file.write("\n")
        digests.add(_recipe(project).digest)
    assert len(digests) == 4


@pytest.mark.parametrize(
    "command",
    [r"\i :dir/more.sql", r"\ir :'name'", r"\copy a from program 'cat rows.csv'", r"\! date", r"\set x `date`"],
)
def test_what_cannot_be_followed_is_refused_without_inputs(project: Path, command: str) -> None:
    (project / "1.sql").write_text(f"SELECT 1;\n{command}\n")
    with pytest.raises(SettingError) as error:
        _recipe(project)
    words = str(error.value)
    assert words.startswith(
        f"pyproject.toml: service 'db': {project}/1.sql, line 2: what {command!r} reads is known only when"
    )
    assert 'list such files in inputs, inputs = ["db/data/*.csv"] for instance' in words


def test_inputs_are_a_part_of_the_schema(project: Path) -> None:
    (project / "1.sql").write_text(
        "\\set name rows.csv\nCREATE TABLE a (x text);\n\\copy a from program 'cat rows.csv'\n"
    )
    (project / "rows.csv").write_text("one\n")
    _build(project, inputs=["*.csv"])
    before = _recipe(project, inputs=["*.csv"]).digest
    (project / "rows.csv").write_text("two\n")
    assert _recipe(project, inputs=["*.csv"]).digest != before


def test_a_directory_among_inputs_stands_for_what_is_in_it(project: Path) -> None:
    (project / "rows").mkdir()
    (project / "rows" / "1.csv").write_text("one\n")
    (project / "1.sql").write_text("\\! true\n")
    before = _recipe(project, inputs=["rows"]).digest
    (project / "rows" / "__pycache__").mkdir()
    (project / "rows" / "__pycache__" / "a.cpython-311.pyc").write_text("compiled by a run of the tests")
    assert _recipe(project, inputs=["rows"]).digest == before
    (project / "rows" / "1.csv").write_text("two\n")
    assert _recipe(project, inputs=["rows"]).digest != before


def test_data_of_copy_holds_no_commands_whatever_its_size(project: Path) -> None:
    rows = "".join(f"\\\\i {number}\t\\N\n" for number in range(1000)) + "\\.x\t\\N\n"
    text = f"CREATE TABLE a (x text, y text);\nCOPY a FROM stdin;\n{rows}\\.\nSELECT 1;\n\\ir more.sql\n"
    (project / "more.sql").write_text("SELECT 1;\n")
    (project / "1.sql").write_text(text.replace("\\.x", "x"))
    _build(project, migrations=["1.sql"])
    with (project / "large.sql").open("w") as file:
        file.write(text.replace("\\.x", "x").replace("SELECT 1;", "SELECT '" + "x" * (65 << 20) + "';"))
    declaration = Declaration("db", "postgres", "here", project, {})
    assert Included(declaration).files(project / "large.sql") == [project / "more.sql"]
    assert Included(declaration).files(project / "1.sql") == [project / "more.sql"]


def test_text_that_looks_like_an_include_is_none(project: Path) -> None:
    (project / "1.sql").write_text("SELECT '\n\\i nowhere.sql\n', $$\n\\! x\n$$; -- \\i :x\n/*\n\\ir :x\n*/\n")
    _build(project)
    assert Included(Declaration("db", "postgres", "here", project, {})).files(project / "1.sql") == []


def test_a_migration_that_is_appended_costs_itself(project: Path) -> None:
    (project / "p.toml").touch()
    (project / "1.sql").write_text(f"CREATE TABLE a (x int);\n{_RAN}")
    _build(project, inputs=["p.toml"])
    (project / "2.sql").write_text("ALTER TABLE a ADD y int;\n")
    _build(project, inputs=["p.toml"])
    assert _runs(project) == 1
    (project / "2.sql").write_text("ALTER TABLE a ADD z int;\n")
    _build(project, inputs=["p.toml"])
    assert _runs(project) == 1


def test_a_migration_that_changed_is_applied_anew_with_those_after_it(project: Path) -> None:
    (project / "p.toml").touch()
    for name in ("1", "2", "3"):
        (project / f"{name}.sql").write_text(f"CREATE TABLE t{name} (x int);\n{_RAN}")
        _build(project, inputs=["p.toml"])
    assert _runs(project) == 3
    with (project / "2.sql").open("a") as file:
        file.write("SELECT 1;\n")
    _build(project, inputs=["p.toml"])
    assert _runs(project) == 5


def test_a_long_list_is_cut_so_that_an_early_part_is_kept(project: Path) -> None:
    (project / "p.toml").touch()
    names = [f"{number:04}.sql" for number in range(FILES_PER_LAYER + 2)]
    for name in names:
        (project / name).write_text("SELECT 1;\n")
    (project / names[0]).write_text(f"CREATE TABLE a (x int);\n{_RAN}")
    _build(project, inputs=["p.toml"])
    assert _runs(project) == 1
    (project / names[-2]).write_text("ALTER TABLE a ADD y int;\n")
    _build(project, inputs=["p.toml"])
    assert _runs(project) == 1


def _based(root: Path, **values: Any) -> Recipe:
    base = Declaration("base", "postgres", "here", root, {"migrations": ["base/*.sql"], "seeds": ["seeds/*.sql"]})
    declaration = Declaration("db", "postgres", "here", root, {"base": "base", **values}, base=base)
    return postgres_recipe(declaration, postgres_distribution(), "test", "test")


@pytest.fixture
def based(project: Path) -> Path:
    """Return a project whose base has been built."""
    for name in ("base", "seeds", "db"):
        (project / name).mkdir()
    (project / "p.toml").touch()
    (project / "base" / "1.sql").write_text("CREATE TABLE a (x int);\n")
    (project / "seeds" / "2.sql").write_text("INSERT INTO a SELECT generate_series(1, 1000);\n")
    (project / "db" / "3.sql").write_text(
        "DO $$ BEGIN ASSERT (SELECT count(*) FROM a) = 1000; END $$;\nALTER TABLE a ADD y int;\n"
    )
    return project


def test_a_large_base_is_built_once_and_stored_once(based: Path) -> None:
    with (based / "base" / "1.sql").open("a") as file:
        file.write(_RAN)
    (based / "seeds" / "large.sql").write_text("INSERT INTO a SELECT generate_series(1, 1000000);\n")
    (based / "db" / "3.sql").write_text(
        "DO $$ BEGIN ASSERT (SELECT count(*) FROM a) = 1001000; END $$;\nALTER TABLE a ADD y int;\n"
    )
    values = {"inputs": ["p.toml"]}
    base = Declaration(
        "base", "postgres", "here", based, {"migrations": ["base/*.sql"], "seeds": ["seeds/*.sql"], **values}
    )
    declaration = Declaration("db", "postgres", "here", based, {"migrations": ["db/*.sql"]}, base=base)
    recipe = postgres_recipe(declaration, postgres_distribution(), "test", "test")
    bases = postgres_recipe(base, postgres_distribution(), "test", "test")
    with template(recipe, "db") as directory, template(bases, "base") as own:
        assert (directory / BASE).samefile(own / ARCHIVE)
        assert (directory / ARCHIVE).stat().st_size < (own / ARCHIVE).stat().st_size / 2
    assert _runs(based) == 1


def test_a_small_base_is_stored_as_what_it_has_beside_the_empty_template(based: Path) -> None:
    base = Declaration("base", "postgres", "here", based, {"migrations": ["base/*.sql"], "seeds": ["seeds/*.sql"]})
    declaration = Declaration("db", "postgres", "here", based, {"migrations": ["db/*.sql"]}, base=base)
    recipes = [postgres_recipe(each, postgres_distribution(), "test", "test") for each in (base, declaration)]
    empty = recipes[0].layers.base if recipes[0].layers else None
    assert empty
    with template(recipes[0], "base") as own, template(recipes[1], "db") as directory, template(empty, "") as beginning:
        for each in (own, directory):
            assert (each / BASE).samefile(beginning / ARCHIVE)
            assert (each / ARCHIVE).stat().st_size < (beginning / ARCHIVE).stat().st_size / 3


@pytest.mark.parametrize("names", [("owner", "test"), ("test", "app"), ("Some one", "app")])
def test_names_of_user_and_database_are_no_other_beginning(based: Path, names: tuple[str, str]) -> None:
    declaration = Declaration("db", "postgres", "here", based, {"migrations": ["base/*.sql"]})
    first, second = (postgres_recipe(declaration, postgres_distribution(), *each) for each in (("test", "test"), names))
    assert first.layers
    assert second.layers
    assert first.layers.base == second.layers.base


def test_room_is_not_made_by_removing_the_base(based: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_CACHE_MB", "1")
    with (based / "base" / "1.sql").open("a") as file:
        file.write(_RAN)
    base = Declaration("base", "postgres", "here", based, {"migrations": ["base/*.sql"], "inputs": ["p.toml"]})
    for column in "yz":
        (based / "db" / "3.sql").write_text(f"ALTER TABLE a ADD {column} int;\n")
        declaration = Declaration("db", "postgres", "here", based, {"migrations": ["db/*.sql"]}, base=base)
        with template(postgres_recipe(declaration, postgres_distribution(), "test", "test"), "db"):
            assert _runs(based) == 1


def test_a_base_without_migrations_that_follow(based: Path) -> None:
    with template(_based(based), "db") as directory:
        assert (directory / BASE).exists()


def test_a_changed_base_is_another_one(based: Path) -> None:
    before = _based(based, migrations=["db/*.sql"]).digest
    (based / "seeds" / "2.sql").write_text("INSERT INTO a SELECT generate_series(1, 1001);\n")
    assert _based(based, migrations=["db/*.sql"]).digest != before


def test_a_plan_may_follow_a_base(based: Path) -> None:
    (based / "deploy").mkdir()
    (based / "sqitch.plan").write_text("%syntax-version=1.0.0\n%project=a\n\none 2026-01-01T00:00:00Z A <a@b> # c\n")
    (based / "deploy" / "one.sql").write_text((based / "db" / "3.sql").read_text())
    with template(_based(based, migrations=["sqitch.plan", "deploy/*.sql"], layout="sqitch"), "db") as directory:
        assert (directory / BASE).exists()


def test_an_archive_stays_when_the_template_that_it_is_from_has_gone(
    based: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "hardlink_to", _refuse)
    with template(_based(based, migrations=["db/*.sql"]), "db") as directory:
        assert (directory / BASE).stat().st_nlink == 1


def _refuse(_: Path, target: Path) -> None:
    raise PermissionError(1, "Operation not permitted", str(target))


def test_a_file_that_undoes_is_no_part_of_the_schema(project: Path) -> None:
    (project / "1_a.up.sql").write_text("CREATE TABLE a (x int);\n")
    (project / "1_a.down.sql").write_text("DROP TABLE a;\n")
    before = _recipe(project, layout="golang-migrate").digest
    (project / "1_a.down.sql").write_text("DROP TABLE a CASCADE;\n")
    assert _recipe(project, layout="golang-migrate").digest == before


def test_files_of_a_tool_are_refused_before_anything_starts(project: Path) -> None:
    (project / "1_a.sql").write_text("-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n")
    with pytest.raises(TemplateError) as error:
        _recipe(project)
    assert str(error.value).startswith(
        "pyproject.toml: service 'db': 1_a.sql, line 3: '-- +goose Down' is a mark of goose's"
    )


@pytest.mark.parametrize(
    ("layout", "text", "program"),
    [
        ("goose", "-- +goose Up\n", "2_b.go"),
        ("yoyo", "", "2_b.py"),
        ("node-pg-migrate", "", "2_b.ts"),
    ],
)
def test_a_migration_that_is_a_program_is_not_left_out(project: Path, layout: str, text: str, program: str) -> None:
    (project / "db").mkdir()
    (project / "db" / "1_a.sql").write_text(text)
    for harmless in ("migrations.go", "2_b_test.go", "__init__.py", "README.md"):
        (project / "db" / harmless).touch()
    _recipe(project, migrations=["db/*.sql"], layout=layout)
    (project / "db" / program).touch()
    with pytest.raises(
        TemplateError, match=rf"db/{program} is a migration that only {layout} itself can run, .* .key mig"
    ):
        _recipe(project, migrations=["db/*.sql"], layout=layout)


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (["0000_a"], "db/0001_b.sql is not in db/meta/_journal.json, so that drizzle does not apply it"),
        (
            ["0001_b", "0000_a"],
            "db/0000_a.sql would be applied before 0001_b.sql, and db/meta/_journal.json has them the",
        ),
    ],
)
def test_files_that_drizzles_journal_denies_are_refused(project: Path, listed: list[str], words: str) -> None:
    (project / "db/meta").mkdir(parents=True)
    for name in ("0000_a", "0001_b"):
        (project / f"db/{name}.sql").touch()
    journal = project / "db/meta/_journal.json"
    journal.write_text(json.dumps({"entries": [{"tag": name} for name in listed]}), "utf-8")
    with pytest.raises(TemplateError, match=re.escape(words)):
        _recipe(project, migrations=["db/*.sql"])
    _recipe(project, migrations=["db/*.sql"], layout="plain")
    journal.write_text("[]", "utf-8")
    _recipe(project, migrations=["db/*.sql"])


@pytest.mark.parametrize(
    ("name", "text", "is_refused"),
    [
        ("flyway.conf", "# flyway.target=3\nflyway.schemas = app, public\n", True),
        ("flyway.toml", "[flyway]\ndefaultSchema = 'app'\n", True),
        ("db/flyway.toml", '[flyway]\ninitSql = "SET ROLE app"\n', True),
        ("conf/flyway.conf", "flyway.placeholderPrefix=#[\n", True),
        ("db/sql/V1__a.sql.conf", "shouldExecute=false\n", True),
        ("db/sql/V1__a.sql.conf", "executeInTransaction=false\n", False),
        ("flyway.toml", '[flyway]\nschemas = ["public"]\nencoding = "UTF-8"\nlocations = ["db/sql"]\n', False),
    ],
)
def test_what_flyway_is_told_beside_its_files_is_not_passed_over(
    project: Path, name: str, text: str, is_refused: bool
) -> None:
    for each in (f"{name}", "db/sql/V1__a.sql"):
        (project / each).parent.mkdir(parents=True, exist_ok=True)
        (project / each).touch()
    (project / name).write_text(text, "utf-8")
    with contextlib.ExitStack() as stack:
        if is_refused:
            said = text.strip().rpartition("\n")[2]
            words = f"{name} says {said}, which psql does not know, so that the schema would be another one: run flyway"
            stack.enter_context(pytest.raises(TemplateError, match=re.escape(words)))
        _recipe(project, migrations=["db/sql/*.sql"], layout="flyway")


def test_a_file_that_is_included_and_named_is_refused(project: Path) -> None:
    (project / "1.sql").write_text("CREATE TABLE a (x int);\n\\ir 2.sql\n")
    (project / "2.sql").write_text("INSERT INTO a VALUES (1);\n")
    words = r"2\.sql is included by 1\.sql, and would be run twice, as it is named, too: have migrations and seeds name"
    with pytest.raises(TemplateError, match=words):
        _recipe(project)
    with pytest.raises(TemplateError, match=words):
        _recipe(project, migrations=["1.sql"], seeds=["2.sql"])
    _recipe(project, layout="plain")
    _recipe(project, migrations=["1.sql"])


def test_folders_that_flyway_looks_into_are_not_left_out(project: Path) -> None:
    (project / "db" / "more").mkdir(parents=True)
    for name in ("db/V1__a.sql", "db/more/V2__b.sql", "db/more/notes.sql"):
        (project / name).touch()
    with pytest.raises(
        TemplateError, match=r"db/more/V2__b.sql is not among migrations, and flyway looks .* \"db/\*\*/"
    ):
        _recipe(project, migrations=["db/*.sql"], layout="flyway")
    (project / "db/more/notes.sql").unlink()
    _recipe(project, migrations=["db/**/*.sql"], layout="flyway")


def test_the_example_of_the_documentation_runs(pytester: pytest.Pytester, run: Run) -> None:
    sql, toml, python = re.findall(
        r"^```(?:sql|toml|python)\n(.*?)^```", _PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )[:3]
    file = pytester.path / re.findall(r"db/\S+\.sql", sql)[0]
    file.parent.mkdir(parents=True)
    file.write_text(sql.partition("\n")[2], "utf-8")
    pytester.makepyprojecttoml(toml)
    pytester.makepyfile(python)
    run().assert_outcomes(passed=1)


_PROFILES = """
create table profiles (id uuid references auth.users not null primary key);
alter table profiles enable row level security;
create policy own on profiles for select to authenticated using (auth.uid() = id);
insert into storage.buckets (id, name) values ('a', 'a');
alter publication supabase_realtime add table profiles;
"""
_PEOPLE = """
insert into auth.users (id) select ('00000000-0000-0000-0000-00000000000' || n)::uuid from generate_series(1, 2) n;
insert into profiles select id from auth.users;
"""


def test_what_the_documentation_says_of_supabase_runs(pytester: pytest.Pytester, run: Run) -> None:
    section = _PAGE.read_text("utf-8").partition("## Supabase\n")[2]
    sql, toml, python = re.findall(r"^```(?:sql|toml|python)\n(.*?)^```", section, re.DOTALL | re.MULTILINE)[:3]
    for name, text in (("db/supabase", sql), ("supabase/migrations/1_a", _PROFILES), ("supabase/seed", _PEOPLE)):
        file = pytester.path / f"{name}.sql"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    pytester.makepyprojecttoml(toml)
    pytester.makepyfile(python)
    run().assert_outcomes(passed=1)


_TABLES = """
async def test_it(isolated_database):
    assert await isolated_database.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 1
"""


def test_a_layout_in_pyproject(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(".sql", **{"1_a": "-- +goose Up\nCREATE TABLE a (x int);\n-- +goose Down\nDROP TABLE a;\n"})
    pytester.makepyprojecttoml(
        '[tool.realservices.services.db]\nkind = "postgres"\nmigrations = ["*.sql"]\nlayout = "goose"\n'
    )
    pytester.makepyfile(_TABLES)
    run().assert_outcomes(passed=1)


def test_an_unknown_layout_in_pyproject(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyprojecttoml('[tool.realservices.services.db]\nkind = "postgres"\nlayout = "gooze"\n')
    pytester.makepyfile(_TABLES)
    run().stderr.fnmatch_lines(["*service 'db': layout = 'gooze'; it is one of db-migrate, dbmate, *"])


def test_a_layout_on_a_server_of_somebody_elses(
    pytester: pytest.Pytester, run: Run, external: pytest.MonkeyPatch
) -> None:
    assert external
    pytester.makefile(".sql", **{"1_a": "-- migrate:up\nCREATE TABLE a (x int);\n-- migrate:down\nDROP TABLE a;\n"})
    project = '[tool.realservices.services.db]\nkind = "postgres"\nmigrations = ["*.sql"]\n'
    pytester.makepyfile(_TABLES)
    pytester.makepyprojecttoml(project)
    run().stdout.fnmatch_lines(["*1_a.sql, line 3: '-- migrate:down' is a mark of dbmate's*"])
    pytester.makepyprojecttoml(f'{project}layout = "dbmate"\n')
    run().assert_outcomes(passed=1)


_BASED = """
[tool.realservices.services.base]
kind = "postgres"
migrations = ["1.sql"]
[tool.realservices.services.db]
kind = "postgres"
base = "base"
migrations = ["2.sql"]
"""
_COLUMNS = """
import pytest

_SQL = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'a'"

@pytest.mark.realservices(postgres="db")
async def test_db(isolated_database):
    assert await isolated_database.fetchval(_SQL) == 2

@pytest.mark.realservices(postgres="base")
async def test_base(isolated_database):
    assert await isolated_database.fetchval(_SQL) == 1
"""


@pytest.fixture
def two(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return a project with a service that begins from another one."""
    pytester.makefile(".sql", **{"1": "CREATE TABLE a (x int);\n", "2": "ALTER TABLE a ADD y int;\n"})
    pytester.makepyprojecttoml(_BASED)
    pytester.makepyfile(_COLUMNS)
    return pytester


def test_a_base_in_pyproject(two: pytest.Pytester, run: Run) -> None:
    assert two
    run().assert_outcomes(passed=2)


def test_a_base_on_a_server_of_somebody_elses(two: pytest.Pytester, run: Run, external: pytest.MonkeyPatch) -> None:
    assert external
    base, db = _BASED.split("[tool.realservices.services.db]")
    two.makepyprojecttoml(f"[tool.realservices.services.db]{db}{base}")  # The first one is used there.
    two.makepyfile(_COLUMNS.partition('@pytest.mark.realservices(postgres="base")')[0])
    run().assert_outcomes(passed=1)


@pytest.mark.parametrize("place", ["begin", "end"])
def test_a_mark_at_an_edge_of_a_large_file_is_found(project: Path, place: str) -> None:
    mark, rows = (
        "-- migrate:down\nDROP TABLE a;\n",
        f"COPY a FROM stdin;\n{'x' * 1023}\n" + f"{'x' * 1023}\n" * (65 << 10),
    )
    (project / "1.sql").write_text(mark + rows if place == "begin" else f"{rows}\\.\n{mark}")
    with pytest.raises(TemplateError, match=r"'-- migrate:down' is a mark of dbmate's"):
        _recipe(project)
