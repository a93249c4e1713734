"""A template's files without their history: the server takes them for its own, reads all of them and can lose its power."""

from __future__ import annotations

import contextlib
import signal
import struct
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from realservices.host.archive import unpack_archive
from realservices.host.crc32c import crc32c
from realservices.host.scratch import Scratch
from realservices.kinds.mariadb.server.settings import server_command
from realservices.kinds.mariadb.template.innodb_log import begin_log
from realservices.kinds.mariadb.template.innodb_pages import forget_history
from realservices.kinds.mariadb.template.innodb_records import in_order, is_dictionary_page
from realservices.kinds.mariadb.template.origin import forget_origin
from realservices.kinds.mariadb.wire import Connection, MariaDBRefusal
from tests.host import places
from tests.kinds.mariadb.template_build import TemplateBuild

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE_BYTES = 16384
_SCHEMA = """
CREATE TABLE people (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE, body TEXT, words TEXT, FULLTEXT (words));
ALTER TABLE people ADD born DATE, ADD INDEX (born), ALGORITHM=INPLACE;
CREATE TABLE small (id INT PRIMARY KEY, body TEXT) ROW_FORMAT=COMPRESSED;
CREATE TABLE old (id INT PRIMARY KEY, name VARCHAR(10), KEY (name)) ENGINE=MyISAM;
CREATE TABLE aria (id INT PRIMARY KEY, name VARCHAR(10), KEY (name)) ENGINE=Aria;
CREATE TABLE plain (id INT PRIMARY KEY, name VARCHAR(10)) ENGINE=Aria TRANSACTIONAL=0 ROW_FORMAT=DYNAMIC;
CREATE PROCEDURE p() SELECT 1;
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM aria;
CREATE USER reader IDENTIFIED BY 'secret' PASSWORD EXPIRE INTERVAL 1 DAY;
"""
_SEED = """
INSERT INTO people (name, body, words, born)
    SELECT CONCAT('n', seq), REPEAT(MD5(seq), 20), 'some words', '2020-01-01' FROM seq_1_to_3000;
DELETE FROM people WHERE id > 2000;
INSERT INTO small SELECT id, body FROM people;
INSERT INTO old SELECT seq, LEFT(MD5(seq), 10) FROM seq_1_to_1000;
INSERT INTO aria SELECT * FROM old;
INSERT INTO plain SELECT * FROM old;
"""
_TABLES = {"people": 2000, "small": 2000, "old": 1000, "aria": 1000, "plain": 1000}
_ALL = (
    "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
    "AND table_schema NOT IN ('information_schema', 'performance_schema')"
)
# Of a server that finds something to mend.
_TROUBLE = ("[ERROR]", "[Warning]", "recover", "Zerofill", "corrupt", "crash")


class _Server:
    """A server on a template's files, and its administrator's connection."""

    def __init__(self, directory: Path, *settings: str) -> None:
        self._directory = directory
        # A socket's path must be short.
        self._scratch = Scratch()
        self.socket = f"{self._scratch.path}/s"
        self.log = directory / "log"
        self._settings = dict(each.split("=") for each in settings)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Connection:
        (self._directory / "init.sql").write_text("ALTER USER test@'%' IDENTIFIED BY 'pw';\n")
        own = {"socket": self.socket, "skip-networking": "", "init-file": f"{self._directory}/init.sql"}
        own["pid-file"] = f"{self._directory}/pid"
        command = server_command(str(places.mariadb_server()), f"{self._directory}/data", self._settings, own)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            try:
                return Connection(self.socket, "test", "pw", "test")
            except (OSError, MariaDBRefusal):
                assert self._process.poll() is None and time.monotonic() < deadline, self.log.read_text()  # noqa: PT018
                time.sleep(0.02)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.end(signal.SIGKILL)
        self._scratch.remove()

    def end(self, number: int) -> None:
        if self._process:
            self._process.send_signal(number)
            self._process.wait(timeout=120)
            self._process = None


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TemplateBuild:
    build = TemplateBuild(tmp_path_factory.mktemp("template"))
    build.script(_SCHEMA).script(_SEED, "--seed").info()
    return build


@pytest.fixture
def data(template: TemplateBuild, tmp_path: Path) -> Path:
    unpack_archive(str(template.archive), str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def server(data: Path) -> Iterator[_Server]:
    made = _Server(data.parent)
    yield made
    made.close()


def _check_all(connection: Connection) -> None:
    """Let the server check and read each table, also its own."""
    for schema, table in connection.run(_ALL):
        told = connection.run(f"CHECK TABLE {schema}.`{table}` EXTENDED")
        assert [row[2:] for row in told] in (
            [("status", "OK")],
            [("note", "The storage engine for the table doesn't support check")],
        ), told
        connection.run(f"SELECT * FROM {schema}.`{table}`")


def _count(connection: Connection, table: str) -> int:
    return int(connection.run(f"SELECT COUNT(*) FROM {table}")[0][0] or 0)


def test_the_server_finds_nothing_to_mend_and_reads_all(server: _Server) -> None:
    with server.start() as connection:
        _check_all(connection)
        assert {table: _count(connection, table) for table in _TABLES} == _TABLES
        assert {table: _count(connection, f"realservices_template.{table}") for table in _TABLES} == _TABLES
        assert _count(connection, "people WHERE MATCH (words) AGAINST ('words' IN BOOLEAN MODE)") == 2000
    server.end(signal.SIGTERM)
    text = server.log.read_text()
    assert [line for line in text.splitlines() if any(word in line for word in _TROUBLE)] == []


def test_a_server_that_loses_its_power_recovers(server: _Server) -> None:
    with server.start() as connection:
        connection.run("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        connection.run("INSERT INTO people (name) SELECT CONCAT('m', seq) FROM seq_1_to_500")
        connection.run(
            "INSERT INTO aria SELECT seq, 'x' FROM seq_2001_to_2500; INSERT INTO realservices_template.aria VALUES (0, 'x')"
        )
        connection.run("ALTER TABLE small ADD more INT; DROP PROCEDURE p; CREATE USER another IDENTIFIED BY 'x'")
        server.end(signal.SIGKILL)
    with server.start() as connection:
        assert "recovery" in server.log.read_text()
        _check_all(connection)
        assert (_count(connection, "people"), _count(connection, "aria")) == (2500, 1500)
        assert _count(connection, "realservices_template.aria") == 1001
        assert connection.run("SHOW CREATE TABLE small")[0][1] is not None
        assert _count(connection, "mysql.proc WHERE db = 'test' AND name = 'p'") == 0
    server.end(signal.SIGTERM)


def test_an_accounts_password_does_not_expire_with_the_template(server: _Server) -> None:
    with server.start() as connection:
        (told,) = connection.run("SHOW CREATE USER reader")
        assert "PASSWORD EXPIRE INTERVAL 1 DAY" in str(told[0])
        with Connection(server.socket, "reader", "secret") as reader:
            assert reader.run("SELECT 1") == [("1",)]


def test_the_statistics_are_there_without_a_time(server: _Server) -> None:
    with server.start() as connection:
        rows = connection.run(
            "SELECT table_name, n_rows, last_update FROM mysql.innodb_table_stats WHERE database_name = 'test' "
            "AND table_name NOT LIKE 'FTS%' ORDER BY table_name"
        )
    assert rows == [("people", "2000", "2000-01-01 00:00:00"), ("small", "2000", "2000-01-01 00:00:00")]


def test_each_page_has_its_checksum_and_no_position(data: Path) -> None:
    pages = 0
    for path in [data / "ibdata1", *data.rglob("*.ibd")]:
        content = path.read_bytes()
        if not struct.unpack_from(">I", content, 54)[0] & 0x10:
            continue  # ROW_FORMAT=COMPRESSED has another checksum, which the server has compared.
        for start in range(0, len(content), _PAGE_BYTES):
            page = content[start : start + _PAGE_BYTES]
            if any(page):
                assert crc32c(page[:-4]) == struct.unpack(">I", page[-4:])[0], (path, start)
                assert struct.unpack_from(">Q", page, 16)[0] in (0, 0x3000), (path, start)
                pages += 1
    assert pages > 100


def test_nothing_is_left_of_tables_that_were_there_for_a_moment(data: Path) -> None:
    assert b"#sql" not in (data / "ibdata1").read_bytes()
    assert not list(data.glob("aria_log.*"))


def test_a_second_time_changes_nothing(data: Path) -> None:
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    forget_origin(str(data))
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "setting", ["innodb_undo_tablespaces=3", "innodb_checksum_algorithm=crc32", "innodb_page_size=8192"]
)
def test_other_formats_of_files(tmp_path: Path, setting: str) -> None:
    build = TemplateBuild(tmp_path).script(_SCHEMA).script(_SEED, "--seed").option("--setting", setting)
    build.info()
    unpack_archive(str(build.archive), str(tmp_path / "data"))
    server = _Server(tmp_path, setting)
    try:
        with server.start() as connection:
            _check_all(connection)
            assert {table: _count(connection, table) for table in _TABLES} == _TABLES
        server.end(signal.SIGTERM)
    finally:
        server.close()
    assert [line for line in server.log.read_text().splitlines() if any(word in line for word in _TROUBLE)] == []


def test_a_log_of_another_format_stays_and_so_do_compressed_pages(tmp_path: Path) -> None:
    log, pages = tmp_path / "ib_logfile0", tmp_path / "a.ibd"
    log.write_bytes(b"\x80hys" + bytes(8192))
    content = bytearray(b"\x01" * 2 * _PAGE_BYTES)
    struct.pack_into(">I", content, 54, 0x35)  # With zlib.
    pages.write_bytes(content)
    assert not begin_log(str(log))
    forget_history(str(pages))
    assert (log.read_bytes(), pages.read_bytes()) == (b"\x80hys" + bytes(8192), bytes(content))


def test_a_page_of_the_dictionary_keeps_its_records_in_their_order(data: Path) -> None:
    content = (data / "ibdata1").read_bytes()
    found = [content[start : start + _PAGE_BYTES] for start in range(0, len(content), _PAGE_BYTES)]
    pages = [page for page in found if is_dictionary_page(page)]
    assert len(pages) > 5
    for page in pages:
        assert in_order(page)[:-4] == page[:-4]
        slots, records = (struct.unpack_from(">H", page, at)[0] for at in (38, 54))
        places = [struct.unpack_from(">H", page, _PAGE_BYTES - 10 - 2 * slot)[0] for slot in range(slots)]
        owned = [page[place - 6] & 15 for place in places]
        assert sum(owned) == records + 2
        assert all(4 <= count <= 8 for count in owned[1:-1])
