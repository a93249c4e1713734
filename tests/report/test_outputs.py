"""Files that a test left: zipped, in a directory, elsewhere, gone, damaged, long."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from realservices.report.outputs import TAIL_BYTES
from realservices.report.report_model import Attempt
from tests.report.events import EventFile


def _attempt(events: EventFile) -> Attempt:
    ((attempt,),) = [target.attempts for target in events.report().targets]
    return attempt


def _logs(attempt: Attempt) -> dict[str, str]:
    return {log.name: log.text for log in attempt.logs}


def test_logs_in_a_directory_with_an_odd_name_are_read(events: EventFile, tmp_path: Path) -> None:
    outputs = tmp_path / "odd % näme"
    outputs.mkdir()
    (outputs / "db.log").write_text("from db\n", encoding="utf-8")
    (outputs / "picture.png").write_bytes(b"\x89PNG")
    events.result("FAILED", {"test.log": "from the test\n"}, uris={"test.outputs": outputs.as_uri()})
    attempt = _attempt(events)
    assert _logs(attempt) == {"test.log": "from the test\n", "db.log": "from db\n"}
    assert attempt.notes == []


def test_logs_in_an_archive_are_read(events: EventFile, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "outputs.zip", "w") as archive:
        archive.writestr("db.log", "from db\n")
        archive.writestr("durations.json", "{}")
    events.result("FAILED", uris={"test.outputs__outputs.zip": (tmp_path / "outputs.zip").as_uri()})
    assert _logs(_attempt(events)) == {"db.log": "from db\n"}


def test_a_damaged_archive_is_told_of(events: EventFile, tmp_path: Path) -> None:
    (tmp_path / "outputs.zip").write_bytes(b"no archive")
    events.result("FAILED", uris={"test.outputs__outputs.zip": (tmp_path / "outputs.zip").as_uri()})
    assert _attempt(events).notes == ["test.outputs__outputs.zip: cannot be read: File is not a zip file"]


def test_a_damaged_member_does_not_cost_the_others(events: EventFile, tmp_path: Path) -> None:
    path = tmp_path / "outputs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.log", "a\n" * 1000)
        archive.writestr("../b\x1b[2J.log", "b\n")
        archive.writestr("huge.log", b"")
        archive.getinfo("huge.log").file_size = 600_000_000
    content = bytearray(path.read_bytes())
    at = content.index(b"a.log") + len(b"a.log") + 4
    content[at : at + 4] = b"\xff" * 4
    path.write_bytes(content)
    events.result("FAILED", uris={"test.outputs__outputs.zip": path.as_uri()})
    attempt = _attempt(events)
    assert _logs(attempt) == {"../b\x1b[2J.log": "b\n"}
    first, second = attempt.notes
    assert first.startswith("a.log: cannot be read: ")
    assert second == "huge.log: has 600 MB in its archive"


def test_what_is_no_file_is_told_of(events: EventFile, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    uris = {
        "test.log": (tmp_path / "fifo").as_uri(),
        "test.xml": "file:///a%00b",
        "x": "http://[",
        "test.outputs": "file://[",
    }
    events.result("FAILED", uris=uris)
    notes = _attempt(events).notes
    assert "test.log: cannot be read: it is no file" in notes
    assert "test.xml: 'file:///a%00b' is no address of a file" in notes
    assert "test.outputs: 'file://[' is no address: Invalid IPv6 URL" in notes


def test_a_file_that_is_gone_is_told_of(events: EventFile, tmp_path: Path) -> None:
    events.result("FAILED", uris={name: (tmp_path / name).as_uri() for name in ("test.log", "test.xml")})
    attempt = _attempt(events)
    assert sorted(attempt.notes) == ["test.log: no longer there", "test.xml: no longer there"]
    assert attempt.status == "failed"


def test_a_file_on_another_machine_is_told_of(events: EventFile) -> None:
    uri = "bytestream://cache.example:443/blobs/0123/45"
    events.result("FAILED", uris={"test.log": uri})
    assert _attempt(events).notes == ["test.log: not on this machine (bytestream://cache.example:443)"]


def test_an_unreadable_directory_is_told_of(events: EventFile, tmp_path: Path) -> None:
    events.result("FAILED", uris={"test.log": tmp_path.as_uri()})
    assert _attempt(events).notes == ["test.log: cannot be read: Is a directory"]


@pytest.mark.parametrize("is_zipped", [False, True])
def test_of_a_long_log_the_last_whole_lines_are_kept(events: EventFile, tmp_path: Path, is_zipped: bool) -> None:
    text = "".join(f"line {number}\n" for number in range(10_000))
    if is_zipped:
        with zipfile.ZipFile(tmp_path / "outputs.zip", "w") as archive:
            archive.writestr("db.log", text)
        events.result("FAILED", uris={"test.outputs__outputs.zip": (tmp_path / "outputs.zip").as_uri()})
    else:
        events.result("FAILED", {"test.log": text})
    (log,) = _attempt(events).logs
    assert TAIL_BYTES - 20 < len(log.text) <= TAIL_BYTES
    assert text[log.omitted_bytes :] == log.text
    assert text[log.omitted_bytes - 1] == "\n"


def test_bazels_own_first_line_is_left_out(events: EventFile) -> None:
    events.result("FAILED", {"test.log": 'exec ${PAGER:-/usr/bin/less} "$0" || exit 1\nExecuting tests\n'})
    assert _logs(_attempt(events)) == {"test.log": "Executing tests\n"}


def test_bytes_that_are_no_text_do_not_cost_the_log(events: EventFile, tmp_path: Path) -> None:
    (tmp_path / "test.log").write_bytes(b"before \xff\xfe after\n")
    events.result("FAILED", uris={"test.log": (tmp_path / "test.log").as_uri()})
    assert _logs(_attempt(events)) == {"test.log": "before �� after\n"}


def test_of_a_test_that_passed_no_logs_are_kept(events: EventFile) -> None:
    events.result("PASSED", {"test.log": "fine\n"})
    assert _attempt(events).logs == []
