"""Files of other tools: what of them is applied, in which order, and what is refused without a layout."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from realservices.contract.errors import TemplateError
from realservices.schema.arrange import arrange, arrange_after
from realservices.schema.layout_marks import refuse_marks
from realservices.schema.layouts import LAYOUTS
from realservices.schema.script import Script
from tests.services.template_tool import TemplateBuild

_MAKE_A = "CREATE TABLE a (x int);\n"
_OPEN = "-- {0} Up\n-- {0} StatementBegin\nCREATE TABLE a (x int);\n-- {0} Down\nDROP TABLE a;\n"
_ADD_Y = "ALTER TABLE a ADD y int;\n"
_RENAME_Y = "ALTER TABLE a RENAME y TO z;\n"
# The seed fails the build if the schema is not what the up parts make, in their order.
_CHECK = """DO $$ BEGIN ASSERT (SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = to_regclass('a') AND attnum > 0) = 'x,z'; END $$;\n"""
_LAYOUTS = {
    "goose": {
        "1_a.sql": f"-- +goose Up\n{_MAKE_A}-- +goose Down\nDROP TABLE a;\n",
        "10_z.sql": f"-- +goose Up\n{_RENAME_Y}\n-- +goose Down\nDROP TABLE a;\n",
        "2_y.sql": f"-- a comment\n-- +goose Up\n-- +goose StatementBegin\n{_ADD_Y}-- +goose StatementEnd\n",
    },
    "dbmate": {
        "20240101_a.sql": f"-- migrate:up\n{_MAKE_A}\n-- migrate:down\nDROP TABLE a;\n",
        "20240102_y.sql": f"-- migrate:up\n{_ADD_Y}-- migrate:down\nDROP TABLE a;\n-- migrate:up\n{_RENAME_Y}-- migrate:down\n",
    },
    "sql-migrate": {
        "1.sql": f"/*\n * A licence.\n */\n\n-- +migrate Up\n{_MAKE_A}-- +migrate Down\nDROP TABLE a;\n",
        "10.sql": f"-- +migrate Up\n{_RENAME_Y}-- +migrate Down\nDROP TABLE a;\n",
        "2.sql": f"-- +migrate Up\n{_ADD_Y}-- +migrate Down\nDROP TABLE a;\n",
        "2_a.sql": "-- +migrate Up\nSELECT y FROM a;\n",
        "a_last.sql": "-- +migrate Up\nSELECT z FROM a;\n",
    },
    "node-pg-migrate": {
        "1700000000001_a.sql": f"-- Up Migration\n{_MAKE_A}-- Down Migration\n-- up migration: undone\nDROP TABLE a;\n",
        "1800000000000_y.sql": _RENAME_Y,
        "20240101000000000_y.sql": f"-- Down Migration\nDROP TABLE a;\n-- Up Migration\n{_ADD_Y}",
    },
    "tern": {
        "001_a.sql": f"{_MAKE_A}---- create above / drop below ----\nDROP TABLE a;\n",
        "002_y.sql": f"{_ADD_Y}{_RENAME_Y}---- create above / drop below ----\nDROP TABLE a;\n",
    },
    "golang-migrate": {
        "1_a.up.sql": _MAKE_A,
        "1_a.down.sql": "DROP TABLE a;\n",
        "10_z.up.sql": _RENAME_Y,
        "10_z.down.sql": "DROP TABLE a;\n",
        "2_y.up.sql": _ADD_Y,
        "2_y.down.sql": "DROP TABLE a;\n",
    },
    "db-migrate": {
        "2024-a-up.sql": _MAKE_A + _ADD_Y,
        "2024-a-down.sql": "DROP TABLE a;\n",
        "20245-z-up.sql": _RENAME_Y,
    },
    "postgrator": {"1.do.a.sql": _MAKE_A + _ADD_Y, "1.undo.a.sql": "DROP TABLE a;\n", "2.do.sql": _RENAME_Y},
    "sqlx": {"1_a.up.sql": _MAKE_A, "1_a.down.sql": "DROP TABLE a;\n", "10_z.sql": _RENAME_Y, "2_y.sql": _ADD_Y},
    "diesel": {
        "202401_a/up.sql": _MAKE_A,
        "202401_a/down.sql": "DROP TABLE a;\n",
        "2024-02_z/up.sql": _ADD_Y + _RENAME_Y,
        "2024-02_z/down.sql": "DROP TABLE a;\n",
    },
    "yoyo": {
        "a.sql": f"-- depends: c\n{_RENAME_Y}",
        "b.sql": _MAKE_A,
        "c.sql": f"-- depends: b\n-- transactional: false\n{_ADD_Y}",
        "c.rollback.sql": "DROP TABLE a;\n",
    },
    "flyway": {
        "R__check.sql": "DO $$ BEGIN PERFORM z FROM a; END $$;\n",
        "V10__z.sql": _RENAME_Y,
        "V1__a.sql": _MAKE_A,
        "V1_5__y.sql": _ADD_Y,
        "U1__a.sql": "DROP TABLE a;\n",
    },
    "refinery": {"V1__a.sql": _MAKE_A, "U2__y.sql": _ADD_Y, "V10__z.sql": _RENAME_Y},
    "sqitch": {
        "sqitch.plan": "%syntax-version=1.0.0\n%project=x\n\nz 2024-01-01T00:00:00Z me <me@x.org> # make a\n"
        "@v1 2024-01-01T00:00:00Z me <me@x.org>\n\ny [z] 2024-01-02T00:00:00Z me <me@x.org>\n"
        "z [z@v1] 2024-01-03T00:00:00Z me <me@x.org>\n",
        "deploy/y.sql": f"-- Deploy x:y to pg\nBEGIN;\n{_ADD_Y}COMMIT;\n",
        "deploy/z.sql": f"-- Deploy x:z to pg\nBEGIN;\n{_RENAME_Y}COMMIT;\n",
        "deploy/z@v1.sql": f"-- Deploy x:z to pg\nBEGIN;\n{_MAKE_A}COMMIT;\n",
        "revert/z.sql": "-- Revert x:z from pg\nBEGIN;\nDROP TABLE a;\nCOMMIT;\n",
    },
    "numbered": {"1.sql": _MAKE_A, "10.sql": _RENAME_Y, "2.sql": _ADD_Y},
    "plain": {"a.sql": f"-- migrate:down\n{_MAKE_A}", "b.down.sql": _ADD_Y + _RENAME_Y},
}


def _build(directory: Path, layout: str, files: dict[str, str]) -> TemplateBuild:
    build = TemplateBuild(directory)
    if layout:
        build.option("layout", layout)
    # The order of a glob.
    for name in sorted(files):
        build.migration(name, files[name])
    return build


def _refusal(directory: Path, layout: str, files: dict[str, str]) -> str:
    done = _build(directory, layout, files).run()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_every_layout_is_tried() -> None:
    assert {*_LAYOUTS} == {*LAYOUTS}


@pytest.mark.parametrize("layout", _LAYOUTS)
def test_the_parts_that_apply_are_applied_in_the_tools_order(tmp_path: Path, layout: str) -> None:
    done = _build(tmp_path, layout, _LAYOUTS[layout]).seed("check.sql", _CHECK).run()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("layout", [layout for layout in _LAYOUTS if layout != "plain"])
def test_without_a_layout_its_files_are_refused_with_what_to_write(tmp_path: Path, layout: str) -> None:
    written = {"sqlx": "golang-migrate", "refinery": "flyway"}.get(layout, layout)
    files = {name: text for name, text in _LAYOUTS[layout].items() if name.endswith(".sql")}
    message = _refusal(tmp_path, "", files)
    assert (
        f'write layout = "{written}" beside migrations (in a BUILD file `layout = "{written}",`; in pyproject'
        in message
    )
    assert message.startswith("//app:db: app/")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "a.sql",
            "SELECT 1;\n--rollback DROP TABLE a;\n",
            "app/a.sql, line 2: '--rollback DROP TABLE a;' is a mark of Li",
        ),
        ("a.sql", "--liquibase formatted sql\n", 'run the tool itself (attribute and key migrate); layout = "plain"'),
        ("1.sql", "-- !Ups\nSELECT 1;\n\n-- !Downs\n", "app/1.sql, line 4: '-- !Downs' is a mark of Play's, and"),
        ("1.sql", "SELECT 1;\n-- //@UNDO\n", "a mark of MyBatis's"),
        ("1.sql", "-- rambler up\n-- rambler down\n", "a mark of rambler"),
        (
            "1.sql",
            "-- changeset me:1 context:prod\nSELECT 1;\n",
            "app/1.sql, line 1: '-- changeset me:1 context:prod' is",
        ),
        ("1.sql", "-- Liquibase Formatted SQL\n", "a mark of Liquibase's"),
        ("1.sql", "-- +GOOSE DOWN\nSELECT 1;\n", "'-- +GOOSE DOWN' is a mark of goose's"),
        ("1.sql", "\ufeff-- +goose Down\nSELECT 1;\n", "app/1.sql, line 1: '-- +goose Down' is a mark of goose's"),
        (
            "1.sql",
            "-- Up\nSELECT 1;\n-- Down\nSELECT 2;\n",
            "app/1.sql, line 3: '-- Down' is a mark of a migration tool's",
        ),
        ("1.sql", "  -- +goose Down\nSELECT 1;\n", "app/1.sql, line 1: '-- +goose Down' is a mark of goose's"),
        ("1.sql", "-- migrate: down\nSELECT 1;\n", "'-- migrate: down' is a mark of a migration tool's"),
        ("1.sql", "-- Rollback script:\nSELECT 1;\n", "'-- Rollback script:' is a mark of a migration tool's"),
        ("1.sql", "SELECT 1;\n--- @rollback:\nSELECT 2;\n", "'--- @rollback:' is a mark of a migration tool's"),
        (
            "1.sql",
            "SELECT 1;\n/* DOWN */\nSELECT 2;\n",
            "app/1.sql, line 2: '/* DOWN */' is a mark of a migration tool's",
        ),
        ("1.sql", "SELECT 1;\n-- ### Down ###\nSELECT 2;\n", "'-- ### Down ###' is a mark of a migration tool's"),
        ("1.sql", "SELECT 1;\n-- +tool Down\nSELECT 2;\n", "'-- +tool Down' is a mark of a migration tool's"),
        ("1.sql", "SELECT 1;\n-- Downgrade\nSELECT 2;\n", "'-- Downgrade' is a mark of a migration tool's"),
        ("1.sql", "-- Rollback\n-- DROP x\nSELECT 1;\n-- Down\nSELECT 2;\n", "app/1.sql, line 4: '-- Down' is a mark"),
        (
            "1.sql",
            "-- upgrade --\nSELECT 1;\n-- downgrade --\n",
            "app/1.sql, line 3: '-- downgrade --' is a mark of aerich",
        ),
        ("1.sql", "SELECT 1;\n--- create above / drop below ---\nSELECT 2;\n", "drop below ---' is a mark of tern's"),
        ("1.sql", "-- atlas:delimiter \\n\\n\nSELECT 1\n", "is a mark of Atlas's"),
        ("1.sql", "-- +micrate Up\nSELECT 1;\n-- +micrate Down\n", "line 3: '-- +micrate Down' is a mark of micrate's"),
        ("1.sql", "-- ====  UP  ====\nSELECT 1;\n-- ==== DOWN ====\n", "'-- ==== DOWN ====' is a mark of shmig's"),
        (
            "1.sql",
            "-- atlas:txtar\n-- migration.sql --\nSELECT 1;\n-- down.sql --\nSELECT 2;\n",
            "app/1.sql, line 1: '-- atlas:txtar' is a mark of Atlas's",
        ),
        ("1.sql", "-- atlas:import types.sql\nSELECT 1;\n", "'-- atlas:import types.sql' is a mark of Atlas's"),
        ("1.sql", "--! Hash: x\n--! include f.sql\n", "line 2: '--! include f.sql' is a mark of graphile-migrate's"),
        ("1.sql", "-- +goose Up\n-- +goose ENVSUB ON\n", "line 2: '-- +goose ENVSUB ON' is a mark of goose's"),
        ("1.sql", "SELECT 1;\n/*\n * DOWN\n */\nSELECT 2;\n", "app/1.sql, line 2: '/*\\n * DOWN\\n */' is a mark of"),
        ("1.sql", "SELECT 1;\n-- Reverse\nSELECT 2;\n", "'-- Reverse' is a mark of a migration tool's"),
        ("1.sql", "SELECT 1;\n-- To roll back:\nSELECT 2;\n", "'-- To roll back:' is a mark of a migration tool's"),
        ("1.sql", "SELECT 1;\n-- Teardown\nSELECT 2;\n", "'-- Teardown' is a mark of a migration tool's"),
        ("1.sql", "-- atlas:checkpoint\nSELECT 1;\n", "'-- atlas:checkpoint' is a mark of Atlas's"),
        (
            "V1__a.sql",
            "\nSELECT '${who}';\n",
            "app/V1__a.sql, line 2: flyway would put a value of its configuration in pl",
        ),
        (
            "U1__a.sql",
            "DROP TABLE a;\n",
            "app/U1__a.sql has the name of a file that undoes a migration, as flyway calls",
        ),
    ],
)
def test_marks_of_tools_without_a_layout_are_refused(tmp_path: Path, name: str, text: str, words: str) -> None:
    assert words in _refusal(tmp_path, "", {name: text})


def test_a_file_before_one_that_it_depends_on_is_refused(tmp_path: Path) -> None:
    files = {"a.sql": "-- depends: b\nALTER TABLE a ADD y int;\n", "b.sql": _MAKE_A}
    message = _refusal(tmp_path, "", files)
    assert "app/a.sql depends on app/b.sql, as yoyo says it, and would be applied before it: write layout" in message


def test_files_that_leave_no_table_are_refused(tmp_path: Path) -> None:
    undone = "CREATE TEMP TABLE b (x int);\nCREATE TABLE a (x int);\n-- no known mark\nDROP TABLE a;\n"
    message = _refusal(tmp_path, "", {"1.sql": undone})
    assert "migration app/1.sql, line 2 makes a table, and after all files there is none: a part that undoes" in message
    for layout, text in (("plain", undone), ("", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';\n")):
        done = TemplateBuild(tmp_path).option("layout", layout).migration("1.sql", text).run()
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("undoing", "applied"),
    [
        ("init.down.sql", "init.up.sql"),
        ("1_a_down.sql", "1_a_up.sql"),
        ("1_a_rollback.sql", "1_a.sql"),
        ("1_a.revert.sql", "1_a.sql"),
        ("a-undo.sql", "a-do.sql"),
        ("down/1.sql", "up/1.sql"),
        ("2024_a/down.sql", "2024_a/migration.sql"),
        ("1_downgrade.sql", "1_upgrade.sql"),
        ("rollbacks/1_a.sql", "1_a.sql"),
        ("rollback_1_a.sql", "1_a.sql"),
        ("schema_drop.sql", "schema_create.sql"),
        ("uninstall.sql", "install.sql"),
    ],
)
def test_a_file_that_undoes_another_one_is_refused(tmp_path: Path, undoing: str, applied: str) -> None:
    message = _refusal(tmp_path, "", {undoing: "DROP TABLE IF EXISTS a;\n", applied: _MAKE_A})
    assert f"app/{undoing} has the name of a file that undoes app/{applied}, and would be run, too: have mig" in message


def test_a_folder_of_files_that_undo_is_refused(tmp_path: Path) -> None:
    message = _refusal(tmp_path, "", {"migrations/1_a.sql": _MAKE_A, "rollback/1_drop_a.sql": "DROP TABLE a;\n"})
    assert "app/rollback/1_drop_a.sql lies in a folder of files that undo others, such as app/migrations/1_a" in message


def test_numbers_of_seeds_say_their_order(tmp_path: Path) -> None:
    for name in ("10.sql", "9.sql"):
        (tmp_path / name).touch()
    seeds = [(name, str(tmp_path / name)) for name in ("10.sql", "9.sql")]
    with pytest.raises(TemplateError, match=r"10\.sql would be .* before 9\.sql, .*, one by one, in seeds$"):
        arrange("", (), seeds)


@pytest.mark.parametrize(
    ("layout", "files", "words"),
    [
        ("flyway", {"x/R__v.sql": "", "y/R__v.sql": ""}, "app/x/R__v.sql and app/y/R__v.sql have the same version v, which flyway refuses"),
        ("yoyo", {"x/0001.sql": "", "y/0001.sql": ""}, "app/x/0001.sql and app/y/0001.sql have the same version 0001, which yoyo refuses"),
        ("yoyo", {"post-apply.sql": ""}, "app/post-apply.sql is no file that yoyo applies"),
        ("yoyo", {"a.sql": "  -- depends : z\n"}, "app/a.sql depends on z, which is not there"),
        ("tern", {"1_a.sql": f"{_MAKE_A}  ---- create above / drop below ----\nDROP TABLE a;\n"}, "app/1_a.sql, line 2: '---- create above / drop below ----' is nothing"),
        ("tern", {"1_a.sql": "CREATE TABLE a (x int); ---- create above / drop below ----\n"}, "app/1_a.sql, line 1: "),
        ("dbmate", {"1_a.sql": f"-- migrate:up\n{_MAKE_A} --migrate:down\nDROP TABLE a;\n"}, "app/1_a.sql, line 3: '--migrate:down' is nothing that psql can do for dbmate, or is misspelt"),
        ("dbmate", {"1_a.sql": f"-- migrate:up\n{_MAKE_A}/* migrate:down */\nDROP TABLE a;\n"}, "app/1_a.sql, line 3: '/* migrate:down */'"),
        ("", {"B3__a.sql": "", "V1__a.sql": ""}, "app/V1__a.sql would be applied, and Flyway does not apply it to an empty database: write layout = \"flyway\""),
    ],
)  # fmt: skip
def test_what_a_tool_refuses_or_leaves_out_is_refused(
    tmp_path: Path, layout: str, files: dict[str, str], words: str
) -> None:
    assert words in _refusal(tmp_path, layout, files)


def test_an_order_is_told_where_there_are_no_layouts(tmp_path: Path) -> None:
    for names in (["10_a.sql", "2_b.sql"], ["R__v.sql", "V1__a.sql"]):
        files = []
        for name in names:
            (tmp_path / name).touch()
            files.append(Script("migration", name, str(tmp_path / name)))
        with pytest.raises(TemplateError, match=r": name them in their order, one by one, in migrations$"):
            refuse_marks(files, key="migrations", has_layouts=False)


def test_a_callback_of_flyways_is_refused_without_a_layout(tmp_path: Path) -> None:
    message = _refusal(tmp_path, "", {"V1__a.sql": _MAKE_A, "afterMigrate.sql": "SELECT 1;\n"})
    assert "app/afterMigrate.sql has the name of a callback" in message
    assert 'write layout = "flyway" beside migrations' in message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("scale_down.sql", _MAKE_A),
        ("a.sql", f"{_MAKE_A}-- Down\n-- DROP TABLE a;\n"),
        ("a.sql", f"-- rollback of an order\n{_MAKE_A}"),
        ("a.sql", f"/*\n * Down the road.\n */\n{_MAKE_A}"),
        ("a.sql", f"-- Tear down\nDROP TABLE IF EXISTS a;\n-- Set up\n{_MAKE_A}"),
        ("a.sql", f"-- A table.\n-- Rollback:\n--   DROP TABLE a;\n{_MAKE_A}"),
    ],
)
def test_what_only_looks_like_a_tools_is_applied(tmp_path: Path, name: str, text: str) -> None:
    done = _build(tmp_path, "", {name: text}).run()
    assert (done.returncode, done.stderr) == (0, "")


_NAMED = "name the directories in their order, one by one, in migrations"
_MEANT = 'where this order is meant, layout = "plain" applies them in it'


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ["v1.1/a.sql", "v1.10/a.sql", "v1.2/a.sql"],
            f"v1.10/ would be applied before v1.2/, although its .*: {_NAMED}; {_MEANT}$",
        ),
        (
            ["10_b/up.sql", "1_a/up.sql", "2_c/up.sql"],
            f'10_b/ would be .* before 1_a/.*{_NAMED}; {_MEANT}; .* layout = "diesel"',
        ),
        (
            ["b/10.sql", "b/2.sql", "c/1.sql"],
            "b/10.sql would be applied before b/2.sql, .*: name them in their order, one",
        ),
        (["LATEST.sql", "0.10/a.sql", "0.9/a.sql"], "0.10/ would be applied before 0.9/"),
        (["1.1.sql", "1.10.sql", "1.2.sql"], "1.10.sql would be applied before 1.2.sql, .*: name them in their order"),
        (["schema-v1.10.0.sql", "schema-v1.9.0.sql"], "schema-v1.10.0.sql would be applied before schema-v1.9.0.sql"),
        (["migration1.sql", "migration10.sql", "migration2.sql"], "migration10.sql would be applied before migration2"),
        (["step_10_b.sql", "step_9_a.sql"], "step_10_b.sql would be applied before step_9_a.sql"),
        (
            ["10_b.sql", "1_a.sql", "2_c.sql", "seed.sql"],
            "10_b.sql would be applied before 1_a.sql, .*, one by one, in",
        ),
        (["2024-10-1.sql", "2024-9-1.sql"], "2024-10-1.sql would be applied before 2024-9-1.sql"),
        (["sprint-10/a.sql", "sprint-9/a.sql"], f"sprint-10/ would be applied before sprint-9/.*{_NAMED}; {_MEANT}$"),
        (["int16.sql", "int8.sql"], ""),
        (["20240101_a10c.sql", "20240101_a9f.sql"], ""),
        (["2024-01-01-b-2.sql", "2024-01-02-a-1.sql"], ""),
        (["migration2.sql", "migration1.sql"], ""),
        (["v1.2/a.sql", "v1.10/a.sql"], ""),
        (["v1.1/10.sql", "v1.2/2.sql"], ""),
        (["drop_a.sql", "make_a.sql"], ""),
    ],
)
def test_an_order_that_is_not_that_of_numbers_is_refused(tmp_path: Path, names: list[str], words: str) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with contextlib.ExitStack() as stack:
        if words:
            stack.enter_context(pytest.raises(TemplateError, match=words))
        assert [file.shown for file in arrange("", [(name, str(tmp_path / name)) for name in names])] == names


def test_what_is_dropped_first_is_made_afterwards(tmp_path: Path) -> None:
    for name in ("a_drop.sql", "a_create.sql"):
        (tmp_path / name).touch()
    files = [(name, str(tmp_path / name)) for name in ("a_drop.sql", "a_create.sql")]
    assert len(arrange("", files)) == 2
    with pytest.raises(TemplateError, match=r"a_drop.sql has the name of a file that undoes a_create.sql"):
        arrange("", files[::-1])


def test_marks_in_seeds_are_refused(tmp_path: Path) -> None:
    done = TemplateBuild(tmp_path).seed("s.sql", "SELECT 1;\n-- migrate:down\nSELECT 2;\n").run()
    assert done.returncode == 1
    assert "app/s.sql, line 2: '-- migrate:down' is a mark of dbmate's" in done.stderr
    assert "seeds are applied as they are" in done.stderr


@pytest.mark.parametrize(
    ("layout", "files", "words"),
    [
        ("goose", {"1_a.sql": _MAKE_A}, "app/1_a.sql, line 1: 'CREATE TABLE a (x int);' stands before goose's first mark"),
        ("dbmate", {"1_a.sql": "-- migrate:down\n"}, "app/1_a.sql has no mark of dbmate's that begins the part to be applied"),
        ("goose", {"1_a.sql": "-- nothing\n"}, "app/1_a.sql has no mark of goose's that begins the part to be applied"),
        ("goose", {"a.sql": "-- +goose Up\n"}, "app/a.sql is no file that goose applies (layout = 'goose'): names match"),
        ("goose", {"1_a.sql": "-- +goose Upp\n"}, "line 1: '-- +goose Upp' is nothing that psql can do for goose, or is mis"),
        ("goose", {"1_a.sql": "-- +goose Up\n-- +goose ENVSUB ON\n"}, "run goose itself (attribute and key migrate)"),
        ("goose", {"1_a.sql": "-- +goose Up\n", "01_b.sql": "-- +goose Up\n"}, "have the same version 1, which goose ref"),
        ("goose", {"1_a.sql": _OPEN.format("+goose")}, "line 2: '-- +goose StatementBegin' has no StatementEnd before the"),
        ("goose", {"1_a.sql": "\ufeff-- +goose Up\nSELECT 1;\n"}, "app/1_a.sql, line 1: it begins with a byte order mark, be"),
        ("goose", {"1_a.sql": "-- +goose Up\n-- +goose Down\n-- +goose Up\n"}, "line 3: '-- +goose Up' is there twice, which"),
        ("node-pg-migrate", {"1_a.sql": f"{_MAKE_A}-- Down Migration\nDROP TABLE a;\n"}, "stands before node-pg-migrate's f"),
        ("node-pg-migrate", {"1_a.sql": "-- Down Migration\nDROP TABLE a;\n"}, "app/1_a.sql has no mark of node-pg-migrate's"),
        ("sql-migrate", {"1_a.sql": _OPEN.format("+migrate")}, "line 2: '-- +migrate StatementBegin' has no StatementEnd"),
        ("dbmate", {"1_a.sql": "-- +goose Up\n-- +goose Down\n"}, "'-- +goose Down' is a mark of goose's"),
        ("golang-migrate", {"1_a.sql": _MAKE_A}, "app/1_a.sql is no file that golang-migrate applies"),
        ("golang-migrate", {"1_a.up.sql": "-- migrate:down\n"}, "'-- migrate:down' is a mark of dbmate's"),
        ("flyway", {"V1_a.sql": _MAKE_A}, "names are V1__name.sql, R__name.sql, B1__name.sql or U1__name.sql"),
        ("flyway", {"afterMigrate__grants.sql": _MAKE_A}, "app/afterMigrate__grants.sql is a callback, which Flyway runs"),
        ("flyway", {"V1__a.sql": _MAKE_A, "V1__a.sql.conf": "x=1\n"}, "V1__a.sql.conf configures one migration of Flyway"),
        ("flyway", {"V1__a.sql": "\nSELECT '${who}';\n"}, "line 2: Flyway would put a value of its configuration in place of"),
        ("flyway", {"V1__a.sql": "", "V1_0__b.sql": ""}, "have the same version"),
        ("sqitch", {"deploy/a.sql": _MAKE_A}, "layout = 'sqitch' needs one sqitch.plan among migrations, and there are 0"),
        ("sqitch", {"sqitch.plan": "%project=x\n\na 2024\n"}, "app/sqitch.plan, line 3: app/deploy/a.sql is not among migra"),
        ("sqitch", {"sqitch.plan": "%project=x\n\n-a 2024\n"}, "line 3: '-a 2024' undoes a change: take both out"),
        ("diesel", {"a.sql": _MAKE_A}, "migrations are NAME/up.sql and NAME/down.sql"),
        ("diesel", {"10_b/up.sql": _MAKE_A, "2_a/up.sql": ""}, "Diesel would apply app/10_b/up.sql before app/2_a/up.sql"),
        ("yoyo", {"a.sql": "-- depends: b\n"}, "app/a.sql depends on b, which is not there"),
        ("yoyo", {"a.sql": "-- depends: b\n", "b.sql": "-- depends: a\n"}, "app/a.sql, app/b.sql depend on each other"),
        ("tern", {"1_a.sql": "SELECT '{{.x}}';\n"}, "app/1_a.sql, line 1: tern would fill in a template there"),
    ],
)  # fmt: skip
def test_what_the_tool_would_not_apply_so_is_refused(
    tmp_path: Path, layout: str, files: dict[str, str], words: str
) -> None:
    assert words in _refusal(tmp_path, layout, files)


def test_an_error_has_the_line_of_the_original_file(tmp_path: Path) -> None:
    faulty = "-- a comment\n-- +goose Up\n-- +goose StatementBegin\nSELECT\n  nope;\n-- +goose StatementEnd\n-- +goose Down\n"
    message = _refusal(tmp_path, "goose", {"1_a.sql": f"-- +goose Up\n{_MAKE_A}", "2_b.sql": faulty})
    assert message.startswith("//app:db: PostgreSQL refused migration app/2_b.sql, line 5:\n")
    assert "  in the statement:\n    SELECT\n      nope;\n" in message


@pytest.mark.parametrize(
    ("layout", "name", "text"),
    [
        ("goose", "1_a.sql", "-- +goose NO TRANSACTION\n-- +goose Up\n{}-- +goose Down\n"),
        ("dbmate", "1_a.sql", "-- migrate:up transaction:false\n{}-- migrate:down\n"),
        ("sql-migrate", "1_a.sql", "-- +migrate Up notransaction\n{}-- +migrate Down\n"),
        ("flyway", "V1__a.sql", "{}"),
        ("sqlx", "1_a.sql", "-- no-transaction\n{}"),
    ],
)
def test_what_refuses_transactions_is_run_without_one(tmp_path: Path, layout: str, name: str, text: str) -> None:
    alone = "CREATE TABLE a (x int);\nCREATE INDEX CONCURRENTLY a_x ON a (x);\n"
    done = _build(tmp_path, layout, {name: text.format(alone)}).run()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("layout", "name", "text"),
    [
        ("goose", "1_a.sql", "-- +goose Up\n{}-- +goose Down\n"),
        ("dbmate", "1_a.sql", "-- migrate:up\n{}-- migrate:down\n"),
        ("golang-migrate", "1_a.up.sql", "{}"),
        ("flyway", "V1__a.sql", "{}"),
    ],
)
def test_what_needs_a_transaction_is_run_in_one(tmp_path: Path, layout: str, name: str, text: str) -> None:
    together = "CREATE TABLE a (x int);\nLOCK TABLE a;\n"
    done = _build(tmp_path, layout, {name: text.format(together)}).run()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        (
            "CREATE SCHEMA app;\nSET LOCAL search_path = app;\nCREATE TABLE a (x int);\n",
            "to_regclass('app.a') IS NOT NULL",
        ),
        (
            "CREATE TEMP TABLE b (x int) ON COMMIT DROP;\nINSERT INTO b VALUES (1);\nCREATE TABLE a AS SELECT * FROM b;\n",
            "(SELECT count(*) FROM a) = 1",
        ),
        ("CREATE TABLE a (x int);\nLOCK TABLE a;\nSAVEPOINT s;\n", "true"),
        # None of them is run in one, but where the file says so.
        ("SET LOCAL lock_timeout = '5s';\nVACUUM;\nCREATE TABLE a (x int);\n", "true"),
        ("BEGIN;\nSET LOCAL search_path = pg_temp;\nCOMMIT;\nVACUUM;\nCREATE TABLE a (x int);\n", "true"),
        (
            "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'BEGIN SET LOCAL search_path = x; END';\n"
            "DO $$ BEGIN CREATE TABLE a (x int); COMMIT; END $$;\n",
            "true",
        ),
    ],
)
def test_a_file_without_a_layout_is_run_in_the_transaction_that_it_needs(
    tmp_path: Path, text: str, condition: str
) -> None:
    build = TemplateBuild(tmp_path).migration("1.sql", text)
    done = build.seed("check.sql", f"DO $$ BEGIN ASSERT {condition}; END $$;\n").run()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("layout", "holds"), [("golang-migrate", True), ("sqlx", True), ("numbered", False), ("", False)]
)
def test_what_a_file_sets_holds_as_long_as_with_its_tool(tmp_path: Path, layout: str, *, holds: bool) -> None:
    first = (
        "CREATE SCHEMA app;\nSET LOCAL work_mem = '1MB';\nSET SESSION search_path TO app,\n  public;\n"
        "SET application_name = 'a';\nRESET application_name;\nCREATE TABLE a (x int);\nUPDATE a\nSET x = 1;\n"
    )
    end = ".up.sql" if layout in ("golang-migrate", "sqlx") else ".sql"
    build = _build(tmp_path, layout, {f"1_a{end}": first, f"2_b{end}": "CREATE TABLE b (x int);\n"})
    schema = "app" if holds else "public"
    check = f"DO $$ BEGIN ASSERT to_regclass('app.a') IS NOT NULL AND to_regclass('{schema}.b') IS NOT NULL; END $$;\n"
    done = build.seed("check.sql", check).run()
    assert (done.returncode, done.stderr) == (0, "")


def test_what_the_base_has_set_holds_for_what_follows(tmp_path: Path) -> None:
    first = "SET search_path = app;\nSET x.a TO 1;\nset x.b = 2;\nSET SCHEMA 'app';\n"
    for name, text in (("1_a.sql", first), ("2_b.sql", "RESET ALL;\n"), ("3_c.sql", "")):
        (tmp_path / name).write_text(text, "utf-8")
    files = [(name, str(tmp_path / name)) for name in ("1_a.sql", "2_b.sql", "3_c.sql")]
    assert [script.before for script in arrange_after("sqlx", files[:1], files[1:2], ())] == [
        b"SET x.a TO 1;\nset x.b = 2;\nSET SCHEMA 'app';"
    ]
    assert [script.before for script in arrange_after("sqlx", files[:2], files[2:], ())] == [b"RESET ALL;"]


@pytest.mark.parametrize(
    ("layout", "text", "held"),
    [
        ("goose", "-- +goose Up\nSELECT 1;\n-- +goose Down\nSET search_path = app;\n", b""),
        ("dbmate", "-- migrate:up\nSET a.b = 1;\n-- migrate:down\nRESET a.b;\n", b"SET a.b = 1;"),
        ("sqlx", "SET search_path = app, -- our own; first\n  public;\n", b"SET search_path = app,  \n  public;"),
        ("sqlx", "SET /* all */ search_path TO app -- the schema\n;\n", b"SET   search_path TO app;"),
        ("sqlx", "SET application_name = 'a;b';\nSELECT 1;\n", b"SET application_name = 'a;b';"),
        ("sqlx", "SET a.b = '--'", b"SET a.b = '--';"),
        (
            "sqlx",
            "SET SESSION /* of /* ours */ */ search_path TO app;\n\\echo x\n",
            b"SET SESSION   search_path TO app;",
        ),
    ],
)
def test_what_an_applied_file_holds_is_what_was_run_of_it(tmp_path: Path, layout: str, text: str, held: bytes) -> None:
    later = {"goose": "-- +goose Up\n", "dbmate": "-- migrate:up\n"}.get(layout, "")
    files = []
    for name, content in (("1_a.sql", text), ("2_b.sql", later)):
        (tmp_path / name).write_text(content, "utf-8")
        files.append((name, str(tmp_path / name)))
    (after,) = arrange_after(layout, files[:1], files[1:], ())
    assert after.before == held
    assert [each.before for each in arrange(layout, files)] == [b"", held]


def test_a_parameter_called_begin_is_no_body(tmp_path: Path) -> None:
    text = "CREATE FUNCTION f(begin int) RETURNS int LANGUAGE sql AS 'SELECT 1';\nSET LOCAL search_path = app;\n"
    (tmp_path / "1.sql").write_text(text, "utf-8")
    (file,) = arrange("", [("1.sql", str(tmp_path / "1.sql"))])
    assert file.transaction


def test_repeatable_migrations_are_in_the_order_of_their_descriptions(tmp_path: Path) -> None:
    names = ["R__10_b.sql", "R__1_a.sql", "R__2_c.sql"]
    for name in names:
        (tmp_path / name).touch()
    ordered = [file.shown for file in arrange("flyway", [(name, str(tmp_path / name)) for name in names])]
    assert ordered == ["R__1_a.sql", "R__10_b.sql", "R__2_c.sql"]


def test_a_file_that_is_migration_and_seed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text(_MAKE_A, "utf-8")
    both = [("a.sql", str(tmp_path / "a.sql"))]
    with pytest.raises(TemplateError, match=r"a\.sql is named by migrations and by seeds, and would be run twice"):
        arrange("", both, both)


def test_an_unknown_layout(tmp_path: Path) -> None:
    done = _build(tmp_path, "gooze", {"a.sql": _MAKE_A}).run()
    assert done.returncode == 2
    assert "invalid choice: 'gooze'" in done.stderr
