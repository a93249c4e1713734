"""Templates that begin from another one: what their archives hold, what comes out, and what is refused."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest

from realservices.contract.errors import ArchiveError
from realservices.host.template_tree import Template, described_template, unpack_private, unpack_shared
from tests.services.template_tool import TemplateBuild

_TABLES = "".join(
    f"CREATE TABLE t{number} (id int PRIMARY KEY, name text);\nINSERT INTO t{number} SELECT n, repeat('x', 500) FROM "
    "generate_series(1, 200) n;\n"
    for number in range(100)
)
_ASSERT = "DO $$ BEGIN ASSERT {}; END $$;\n"
# Where the kernel grants a writable view of what is there, and where it does not.
_MACHINES = {"namespaces": [], "no namespaces": ["--uid", "65534", "--no-user-namespaces"]}


def _begin(directory: Path, base: TemplateBuild, machine: str = "namespaces") -> TemplateBuild:
    """Return a build that begins from another one's template."""
    directory.mkdir()
    build = TemplateBuild(directory, enclosure=_MACHINES[machine] or None)
    build.option("base", str(base.archive)).option("base-info", str(base.info_file))
    return build.option("base-whole", str(_whole(base))) if "base" in base.info else build


def _whole(build: TemplateBuild) -> Path:
    return build.archive.parent.parent / "whole" / "db.tar"


def _succeed(build: TemplateBuild) -> TemplateBuild:
    done = build.run()
    assert (done.returncode, done.stderr) == (0, "")
    return build


def _template(build: TemplateBuild) -> Template:
    return described_template(build.info, str(build.archive), str(_whole(build)))


def _files(top: Path) -> dict[str, bytes]:
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def _registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_REGISTRY", str(tmp_path / "registry"))


@pytest.fixture
def whole(tmp_path: Path) -> TemplateBuild:
    """Return the build of a template with many tables."""
    (tmp_path / "whole").mkdir()
    return _succeed(TemplateBuild(tmp_path / "whole").migration("1.sql", _TABLES))


@pytest.mark.parametrize("user", ["test", "Owner"])
@pytest.mark.parametrize("database", ["test", "app"])
def test_names_of_user_and_database_are_its_own(tmp_path: Path, user: str, database: str) -> None:
    (tmp_path / "whole").mkdir()
    build = _begin(tmp_path / "next", _succeed(TemplateBuild(tmp_path / "whole", from_nothing=True)))
    checks = (
        f"(current_user, current_database()) = ('{user}', '{database}')",
        f"(SELECT array_agg(rolname) FROM pg_roles WHERE rolname !~ '^pg_') = '{{{user}}}'",
        "(SELECT bool_and(pg_get_userbyid(datdba) = current_user) FROM pg_database)",
        f"(SELECT array_agg(datname) FROM pg_database WHERE datname IN ('test', 'app')) = '{{{database}}}'",
    )
    for name, value in (("user", user), ("database", database)):
        build.option(name, value)
    _succeed(build.migration("1.sql", "".join(map(_ASSERT.format, checks))))
    assert (build.info["user"], build.info["database"]) == (user, database)


def test_a_locale_that_the_base_does_not_know_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What `locale -a` says, of which initdb makes collations.
    program = tmp_path / "bin" / "locale"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    (tmp_path / "whole").mkdir()
    base = _succeed(TemplateBuild(tmp_path / "whole", from_nothing=True))
    program.write_text("#!/bin/sh\necho C.UTF-8\n")
    check = "ASSERT (SELECT count(*) FROM pg_collation WHERE collname = 'C.UTF-8') ="
    _succeed(_begin(tmp_path / "next", base).migration("1.sql", f"DO $$ BEGIN {check} 1; END $$;\n"))


@pytest.mark.parametrize("machine", _MACHINES)
def test_an_archive_holds_what_differs_from_the_base(tmp_path: Path, whole: TemplateBuild, machine: str) -> None:
    build = _begin(tmp_path / "next", whole, machine)
    _succeed(build.migration("2.sql", "INSERT INTO t7 VALUES (0, 'new');\nDROP TABLE t8;\n"))
    info, before = build.info, whole.info
    assert info["base"] == {key: before[key] for key in ("digest", "archive_digest", "size_bytes", "links")}
    assert info["digest"] != info["archive_digest"]
    assert info["size_bytes"] < before["size_bytes"] / 2
    with tarfile.open(build.archive) as new, tarfile.open(whole.archive) as old:
        again = {*new.getnames()} & {*old.getnames()}
        assert set(info["removed"]) <= {*old.getnames()} - again
    assert info["removed"]


@pytest.mark.parametrize("machine", _MACHINES)
def test_each_way_to_unpack_gives_the_same(tmp_path: Path, whole: TemplateBuild, machine: str) -> None:
    build = _begin(tmp_path / "next", whole, machine)
    template = _template(_succeed(build.migration("2.sql", "INSERT INTO t7 VALUES (0, 'new');\nDROP TABLE t8;\n")))
    trees = [tmp_path / name for name in ("base", "shared", "private", "empty")]
    base, shared, private, empty = trees
    unpack_shared(_template(whole), str(base))
    unpack_shared(template, str(shared), str(base))
    unpack_private(template, str(private))
    unpack_private(template, str(empty), with_copies=False)
    files = _files(shared)
    assert files == _files(private)
    copy, original = next(iter(template.copies.items()))
    of_original = {name.rpartition("/")[2]: files[name] for name in files if name.startswith(f"{original}/")}
    assert {name.rpartition("/")[2]: files[name] for name in files if name.startswith(f"{copy}/")} == of_original
    assert not os.listdir(empty / copy)
    assert sum(len(content) for content in files.values()) == build.info["copy_size_bytes"]
    same = [path for path in files if (base / path).exists() and (base / path).samefile(shared / path)]
    assert len(same) > len(files) / 2
    assert all((private / name).stat().st_nlink == 1 for name in files)


def test_a_failure_leaves_nothing(tmp_path: Path, whole: TemplateBuild) -> None:
    build = _succeed(_begin(tmp_path / "next", whole).migration("2.sql", "SELECT 1;\n"))
    build.archive.write_bytes(build.archive.read_bytes()[:-2000])
    unpack_shared(_template(whole), str(tmp_path / "base"))
    target = tmp_path / "target"
    with pytest.raises(ArchiveError):
        unpack_private(_template(build), str(target))
    assert not target.exists()
    with pytest.raises(ArchiveError):
        unpack_shared(_template(build), str(target), str(tmp_path / "base"))
    assert not target.exists()


@pytest.mark.parametrize("machine", _MACHINES)
def test_a_template_may_begin_from_one_that_begins_from_another(
    tmp_path: Path, whole: TemplateBuild, machine: str
) -> None:
    second = _begin(tmp_path / "second", whole, machine)
    _succeed(
        second.migration("2.sql", "CREATE TABLE second (x int);\nINSERT INTO second VALUES (1);\nDROP TABLE t1;\n")
    )
    third = _begin(tmp_path / "third", second, machine)
    third.migration("3.sql", _ASSERT.format("(SELECT x FROM second) = 1 AND to_regclass('t1') IS NULL"))
    _succeed(third.migration("4.sql", _ASSERT.format("(SELECT count(*) FROM t99) = 200") + "CREATE TABLE third ();\n"))
    assert third.info["base"]["digest"] == whole.info["digest"]
    fourth = _begin(tmp_path / "fourth", third, machine)
    _succeed(fourth.seed("5.sql", _ASSERT.format("(SELECT x FROM second) = 1 AND to_regclass('third') IS NOT NULL")))


def test_a_chain_is_the_same_with_a_view_and_without(tmp_path: Path, whole: TemplateBuild) -> None:
    made = []
    for number, machine in enumerate(_MACHINES):
        second = _begin(tmp_path / f"second{number}", whole, machine)
        second.migration("2.sql", "CREATE TABLE second (x int);\nDROP TABLE t1;\nUPDATE t2 SET id = id + 1000;\n")
        third = _begin(tmp_path / f"third{number}", _succeed(second), machine)
        _succeed(third.migration("3.sql", "DROP TABLE second;\nDROP TABLE t3;\nINSERT INTO t2 VALUES (1);\n"))
        made.append((second.archive.read_bytes(), second.info, third.archive.read_bytes(), third.info))
    assert made[0] == made[1]


def test_one_that_has_changed_most_is_whole(tmp_path: Path, whole: TemplateBuild) -> None:
    build = _begin(tmp_path / "next", whole)
    _succeed(
        build.migration("2.sql", "CREATE TABLE large AS SELECT repeat('x', 1000) FROM generate_series(1, 60000);\n")
    )
    assert "base" not in build.info
    assert build.info["digest"] == build.info["archive_digest"]


def test_one_that_is_to_be_a_part_is(tmp_path: Path, whole: TemplateBuild) -> None:
    build = _begin(tmp_path / "next", whole).option("form", "part")
    _succeed(
        build.migration("2.sql", "CREATE TABLE large AS SELECT repeat('x', 1000) FROM generate_series(1, 60000);\n")
    )
    assert build.info["base"]["digest"] == whole.info["digest"]


def test_one_that_is_to_be_whole_is(tmp_path: Path, whole: TemplateBuild) -> None:
    build = _begin(tmp_path / "next", whole).migration("2.sql", "SELECT 1;\n").option("form", "whole")
    assert "base" not in _succeed(build).info
    assert build.info["size_bytes"] > 0.9 * whole.info["size_bytes"]


_STATISTICS = """SELECT string_agg(DISTINCT tablename, ',' ORDER BY tablename) FROM pg_stats
    WHERE schemaname = 'public' AND (tablename, attname) IN (
        ('t1', 'more'), ('t2', 'id'), ('parent', 'x'), ('view', 'x'), ('t4_expr', 'upper'))"""


def test_the_planner_knows_what_has_changed_since(tmp_path: Path, whole: TemplateBuild) -> None:
    first = _begin(tmp_path / "first", whole)
    _succeed(first.migration(
        "2.sql",
        "CREATE TABLE parent (x int) PARTITION BY LIST (x);\nCREATE TABLE child PARTITION OF parent FOR VALUES IN (1, 2);\n"
        "CREATE MATERIALIZED VIEW view AS SELECT 1 AS x WITH NO DATA;\nDELETE FROM t2;\n",
    ))  # fmt: skip
    second = _begin(tmp_path / "second", first)
    second.migration("3.sql", "ALTER TABLE t1 ADD more int DEFAULT 1;\nINSERT INTO t2 SELECT 1, 'x';\n")
    second.migration("4.sql", "INSERT INTO child VALUES (1), (1), (2);\nREFRESH MATERIALIZED VIEW view;\n")
    _succeed(second.migration("5.sql", "CREATE INDEX t4_expr ON t4 (upper(name));\n"))
    third = _begin(tmp_path / "third", second)
    _succeed(third.migration("6.sql", _ASSERT.format(f"({_STATISTICS}) = 'parent,t1,t2,t4_expr,view'")))


def test_a_server_of_another_major_version_is_refused(tmp_path: Path, whole: TemplateBuild) -> None:
    info = {**whole.info, "server_version_num": 130007}
    whole.info_file.write_text(json.dumps(info))
    done = _begin(tmp_path / "next", whole).run()
    assert done.returncode == 1
    assert "//app:db: its base is a template of PostgreSQL 13, and " in done.stderr
    assert "both need the same major version: name the same distribution" in done.stderr


def test_a_base_that_is_not_described_is_refused(tmp_path: Path, whole: TemplateBuild) -> None:
    build = _begin(tmp_path / "next", whole)
    whole.info_file.write_text("{}")
    done = build.run()
    assert done.returncode == 1
    assert f"//app:db: cannot begin from {whole.archive}: {whole.info_file} does not describe it: " in done.stderr
