"""Templates that are built again, elsewhere and at another time: the same bytes.

BUILDS says how many there are of each kind. With FAKETIME_LIBRARY, the path of libfaketime, each is on another day
(tests/e2e/reproducible_test.py). ClickHouse's only with FAKETIME_CLICKHOUSE, too: with this library it takes a minute.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.host import places
from tests.services.template_tool import TemplateBuild

_BUILDS = int(os.environ.get("BUILDS", "2"))
_CLOCK = os.environ.get("FAKETIME_LIBRARY", "")
_FAKED = {"postgres", "mariadb", *(["clickhouse"] if os.environ.get("FAKETIME_CLICKHOUSE") else [])}
# The servers get an environment of their own, in which nothing is of this one's.
_BUILD = """
import sys
root, module, *preload = sys.argv[1:4]
sys.path.insert(0, root)
from importlib import import_module
from realservices.kinds.clickhouse.template import build as clickhouse_template
from realservices.kinds.mariadb.template import bootstrap as mariadb_bootstrap, engine as mariadb_engine
from realservices.kinds.postgres.template import cluster as postgres_cluster
later = dict(word.split("=", 1) for word in preload[0].split()) if preload[0] else {}
own, spawn = postgres_cluster._environment, clickhouse_template.spawn
mariadbs = mariadb_bootstrap.environment
postgres_cluster._environment = lambda: own() | later
for module_ in (mariadb_bootstrap, mariadb_engine):
    module_.environment = lambda home: mariadbs(home) | later
clickhouse_template.spawn = lambda command, *, env, **others: spawn(command, env=env | later, **others)
sys.exit(import_module(f"realservices.kinds.{module}.template.build").main(sys.argv[4:]))
"""
_SCHEMA = """
CREATE EXTENSION IF NOT EXISTS pg_walinspect;
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE TABLE people (id serial PRIMARY KEY, name text UNIQUE, tags text[], colour colour, born date);
CREATE TABLE notes (id uuid PRIMARY KEY, author int REFERENCES people ON DELETE CASCADE, body text);
CREATE INDEX ON notes (author);
CREATE INDEX ON people USING gin (tags);
CREATE MATERIALIZED VIEW named AS SELECT name, count(*) FROM people GROUP BY name;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := lower(NEW.name); RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION touch();
"""
_SEED = """
CREATE TEMPORARY TABLE numbers AS SELECT generate_series(1, 4000) AS n;
INSERT INTO people (name, tags, colour, born) SELECT 'N' || n, ARRAY[n::text, 'x'], 'red', '2020-01-01' FROM numbers;
INSERT INTO notes SELECT md5(n::text)::uuid, n, repeat(md5(n::text), 100) FROM numbers WHERE n < 500;
UPDATE people SET colour = 'green' WHERE id % 3 = 0;
DELETE FROM people WHERE id > 3000;
REFRESH MATERIALIZED VIEW named;
"""
# As two migrators do it that write down when they have been run.
_LEDGERS = (
    "CREATE TABLE django_migrations (id int, name text, applied timestamptz DEFAULT clock_timestamp())",
    "CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, installed_on timestamp DEFAULT "
    "clock_timestamp(), execution_time int DEFAULT extract(microseconds FROM clock_timestamp())::int)",
    "INSERT INTO django_migrations SELECT 1, '0001_initial'",
    "INSERT INTO flyway_schema_history SELECT generate_series(1, 3)",
)
_CLICKHOUSE_SCHEMA = """
CREATE TABLE events (id UInt64, at DateTime, kind String) ENGINE = MergeTree ORDER BY id;
CREATE TABLE counts (kind String, n UInt64) ENGINE = SummingMergeTree ORDER BY kind;
CREATE MATERIALIZED VIEW per_kind TO counts AS SELECT kind, count() AS n FROM events GROUP BY kind;
CREATE MATERIALIZED VIEW own_table ENGINE = SummingMergeTree ORDER BY kind
    AS SELECT kind, count() AS n FROM events GROUP BY kind;
CREATE MATERIALIZED VIEW another ENGINE = SummingMergeTree ORDER BY kind
    AS SELECT kind, count() AS n FROM events GROUP BY kind;
CREATE VIEW recent AS SELECT * FROM events WHERE id > 10;
CREATE TABLE dropped (a Int8) ENGINE = MergeTree ORDER BY a;
DROP TABLE dropped;
CREATE DICTIONARY by_kind (kind String, n UInt64) PRIMARY KEY kind
    SOURCE(CLICKHOUSE(TABLE 'counts')) LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0);
CREATE TABLE merged (id UInt64) ENGINE = MergeTree ORDER BY id;
CREATE TABLE changed (id UInt64, kind String) ENGINE = MergeTree ORDER BY id;
"""
_CLICKHOUSE_SEED = (
    "INSERT INTO events SELECT number, toDateTime('2020-01-01 00:00:00') + number, toString(number % 7)"
    " FROM numbers(50000);\n"
    + "".join(f"INSERT INTO events VALUES ({n}, '2020-01-01 00:00:00', 'a');\n" for n in range(17))
    + "INSERT INTO changed SELECT number, 'a' FROM numbers(9);\nINSERT INTO merged VALUES (1);\nINSERT INTO merged VALUES (2);\nOPTIMIZE TABLE merged;\n"
    "ALTER TABLE changed UPDATE kind = 'z' WHERE id = 5;\nDELETE FROM changed WHERE id = 6;\n"
)
# ALTER TABLE makes tables with the server's process number in their names, and DROP leaves records.
_MARIADB_SCHEMA = """
CREATE TABLE people (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE, body TEXT, KEY (body(20)));
CREATE TABLE notes (id INT PRIMARY KEY, author INT, words TEXT, FULLTEXT (words), place POINT NOT NULL,
    SPATIAL INDEX (place), FOREIGN KEY (author) REFERENCES people (id) ON DELETE CASCADE);
CREATE TABLE dropped (id INT PRIMARY KEY);
ALTER TABLE people ADD colour ENUM ('red', 'green') DEFAULT 'red', ALGORITHM=COPY;
ALTER TABLE people ADD born DATE, ADD INDEX (born), ALGORITHM=INPLACE;
DROP TABLE dropped;
CREATE TABLE small (id INT PRIMARY KEY, body TEXT) ROW_FORMAT=COMPRESSED;
CREATE TABLE old (id INT PRIMARY KEY, name VARCHAR(10), KEY (name)) ENGINE=MyISAM;
CREATE TABLE aria (id INT PRIMARY KEY, name VARCHAR(10), KEY (name)) ENGINE=Aria;
CREATE TABLE plain (id INT PRIMARY KEY, name VARCHAR(10)) ENGINE=Aria TRANSACTIONAL=0 ROW_FORMAT=DYNAMIC;
CREATE TABLE parts (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 3;
CREATE SEQUENCE numbers START WITH 100;
CREATE OR REPLACE PROCEDURE p() SELECT 1;
CREATE OR REPLACE PROCEDURE p() SELECT 22;
CREATE VIEW named AS SELECT name, COUNT(*) FROM people GROUP BY name;
CREATE TRIGGER lower BEFORE INSERT ON people FOR EACH ROW SET NEW.name = LOWER(NEW.name);
CREATE TRIGGER lower_too BEFORE UPDATE ON people FOR EACH ROW SET NEW.name = LOWER(NEW.name);
CREATE EVENT now_and_then ON SCHEDULE EVERY 1 DAY DO DELETE FROM aria;
CREATE EVENT later ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01' DO DELETE FROM aria;
CREATE USER reader IDENTIFIED BY 'secret';
GRANT SELECT ON test.people TO reader;
GRANT UPDATE (body) ON test.people TO reader;
"""
_MARIADB_SEED = """
INSERT INTO people (name, body, born) SELECT CONCAT('N', seq), REPEAT(MD5(seq), 20), '2020-01-01' FROM seq_1_to_4000;
INSERT INTO notes SELECT seq, seq, CONCAT('word', seq, ' other'), POINT(seq, 1) FROM seq_1_to_40;
UPDATE people SET colour = 'green', body = MD5(id) WHERE id % 3 = 0;
DELETE FROM people WHERE id > 3000;
INSERT INTO small SELECT id, body FROM people;
INSERT INTO old SELECT seq, LEFT(MD5(seq), 10) FROM seq_1_to_2000;
INSERT INTO aria SELECT * FROM old;
INSERT INTO plain SELECT * FROM old;
DELETE FROM aria WHERE id % 2;
INSERT INTO parts SELECT id FROM old;
DO NEXTVAL(numbers);
"""


@dataclass(frozen=True)
class _Built:
    archive: Path
    info: Path

    @property
    def content(self) -> tuple[bytes, bytes]:
        """Both files."""
        return self.archive.read_bytes(), self.info.read_bytes()


def _build(directory: Path, kind: str, options: list[str], number: int, files: dict[str, str]) -> _Built:
    """Build in a directory of any depth, with files of its own, on a day of its own."""
    place = directory.joinpath(*["deep"] * number, kind)
    place.mkdir(parents=True)
    built = _Built(place / "db.tar", place / "db.json")
    arguments = [*options, "--label", "//app:db", "--output", str(built.archive), "--info", str(built.info)]
    for index, (option, text) in enumerate(files.items()):
        (place / f"{index}.sql").write_text(text, encoding="utf-8")
        arguments += [option, f"app/{index}.sql={place}/{index}.sql"]
    later = f"LD_PRELOAD={_CLOCK} FAKETIME=+{40 * number}d DONT_FAKE_MONOTONIC=1" if _CLOCK and kind in _FAKED else ""
    command = [sys.executable, "-I", "-S", "-B", "-c", _BUILD, str(places.PACKAGE_ROOT), kind, later, *arguments]
    # Another umask, another PATH, and HOME is not there.
    environment = {"PATH": f"/nonexistent/{number}:{os.environ['PATH']}", "HOME": f"/nonexistent/{number}"}
    umask = (0o022, 0o077)[number % 2]
    done = subprocess.run(command, env=environment, umask=umask, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return built


def _postgres(directory: Path, number: int, *options: str, **files: str) -> _Built:
    named = {f"--{name}": text for name, text in files.items()}
    distribution = ["--distribution", str(places.postgres_distribution())]
    return _build(directory, "postgres", [*distribution, *options], number, named)


@pytest.fixture(autouse=True)
def _registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_REGISTRY", str(tmp_path / "registry"))


def _plain(directory: Path, number: int) -> list[_Built]:
    return [_postgres(directory, number, "--extension", "pg_walinspect", migration=_SCHEMA, seed=_SEED)]


def _layered(directory: Path, number: int) -> list[_Built]:
    whole = _postgres(directory / "whole", number, migration=_SCHEMA)
    base = ("--base", str(whole.archive), "--base-info", str(whole.info), "--form", "part")
    return [whole, _postgres(directory / "part", number, *base, migration="CREATE TABLE more (id int);", seed=_SEED)]


def _migrated(directory: Path, number: int) -> list[_Built]:
    words = [word for statement in _LEDGERS for word in ("-c", statement)]
    psql = {"name": "//app:psql", "program": places.psql(), "args": [["-X"], ["-q"], *([word] for word in words)]}
    spec = json.dumps({"migrators": [psql], "env": {}, "timeout_s": 60})
    return [_postgres(directory, number, "--migrate", spec, migration=_SCHEMA, seed=_SEED)]


def _clickhouse(directory: Path, number: int) -> list[_Built]:
    server = ["--server", str(places.clickhouse_server())]
    files = {"--schema": _CLICKHOUSE_SCHEMA, "--seed": _CLICKHOUSE_SEED}
    return [_build(directory, "clickhouse", server, number, files)]


def _mariadb(directory: Path, number: int) -> list[_Built]:
    server = ["--server", str(places.mariadb_server())]
    files = {"--migration": _MARIADB_SCHEMA, "--seed": _MARIADB_SEED}
    return [_build(directory, "mariadb", server, number, files)]


@pytest.mark.skipif(not _CLOCK, reason="FAKETIME_LIBRARY is not set: there is one day only")
def test_the_clock_is_another_one(tmp_path: Path) -> None:
    late = "DO $$ BEGIN ASSERT now() > '{}'::timestamptz + interval '39 days'; END $$;"
    _postgres(tmp_path, 1, migration=late.format(datetime.datetime.now(datetime.UTC).isoformat()))
    signal = "IF NOW() < '{}' + INTERVAL 39 DAY THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'today'; END IF"
    today_too = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
    late = "DELIMITER //\nBEGIN NOT ATOMIC " + signal.format(today_too) + "; END//\n"
    _build(tmp_path, "mariadb", ["--server", str(places.mariadb_server())], 1, {"--migration": late})
    if "clickhouse" not in _FAKED:
        return
    files = {"--schema": "CREATE TABLE days (day Date) ENGINE = MergeTree ORDER BY day;"}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    files["--seed"] = f"INSERT INTO days SELECT throwIf(today() < toDate('{today}') + 39);"
    _build(tmp_path, "clickhouse", ["--server", str(places.clickhouse_server())], 1, files)


@pytest.mark.parametrize("make", [_plain, _layered, _migrated, _clickhouse, _mariadb])
def test_the_same_files_come_out_again(tmp_path: Path, make: object) -> None:
    assert callable(make)
    first, *others = ([built.content for built in make(tmp_path / str(number), number)] for number in range(_BUILDS))
    assert [other == first for other in others] == [True] * (_BUILDS - 1)


def test_an_archive_of_changes_is_the_same_where_the_kernel_grants_no_overlay(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = TemplateBuild(tmp_path / "whole").migration("1.sql", _SCHEMA)
    assert whole.run().returncode == 0
    contents = []
    for machine, enclosure in (("overlay", None), ("copy", ["--uid", "65534", "--no-user-namespaces"])):
        (tmp_path / machine).mkdir()
        build = TemplateBuild(tmp_path / machine, enclosure=enclosure).migration("2.sql", "CREATE TABLE more (id int);")
        build.option("base", str(whole.archive)).option("base-info", str(whole.info_file)).option("form", "part")
        done = build.run()
        assert (done.returncode, done.stderr) == (0, "")
        contents.append((build.archive.read_bytes(), build.info))
    assert contents[0] == contents[1]
