"""`migrate scan`: its table, its JSON, its history, its page, its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mocks.command import migrate, migrate_json


def test_the_table_says_what_is_mocked_and_what_comes_first(shop: Path) -> None:
    done = migrate(shop, "scan", "tests")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "mocks to be replaced: 2, in 1 of 2 files with 4 tests; right to stay: 1"
    assert "redis         1      1  1 patch decorator" in lines
    assert "files by complexity: 0 simple, 1 moderate, 0 complex" in lines
    assert lines[-1].split() == ["tests/test_users.py", "moderate", "2", "6", "4", "redis,", "postgres"]


def test_each_mock_is_printed_with_its_evidence(shop: Path) -> None:
    lines = migrate(shop, "scan", "--mocks").stdout.splitlines()
    at = lines.index("tests/test_users.py:4: patch decorator, redis: unittest.mock.patch of app.users.redis")
    assert lines[at + 1] == "    app.users.redis is redis.Redis"
    assert "    stays: time: a test must be able to choose it" in lines
    assert "    hard: it raises ValueError" in lines


def test_json_has_counts_files_and_order(shop: Path) -> None:
    found = migrate_json(shop, "scan", "tests")
    assert found["version"] == 1
    assert found["root"] == str(shop)
    assert found["counts"] | {"by_service": 0, "by_form": 0, "by_complexity": 0} == {
        "files": 2, "files_with_mocks": 1, "tests": 4, "mocks": 3, "leaving": 2, "staying": 1, "unreadable": 0,
        "by_service": 0, "by_form": 0, "by_complexity": 0,
    }  # fmt: skip
    assert found["counts"]["by_service"] == {"postgres": 1, "redis": 1}
    assert found["order"] == [{"path": "tests/test_users.py", "gain": 6, "effort": 4}]
    mock = next(file for file in found["files"] if file["mocks"])["mocks"][0]
    assert mock == {
        "line": 4, "column": 1, "form": "patch decorator", "api": "unittest.mock.patch", "target": "app.users.redis",
        "names": ["redis"], "scope": "test_cached", "service": "redis", "evidence": ["app.users.redis is redis.Redis"],
        "hard": [], "stays": "",
    }  # fmt: skip


def test_one_file_is_scanned_with_its_project_around_it(shop: Path) -> None:
    found = migrate_json(shop / "tests", "scan", "test_users.py")
    assert [file["path"] for file in found["files"]] == ["tests/test_users.py"]
    assert found["counts"]["by_service"] == {"postgres": 1, "redis": 1}


def test_a_file_that_cannot_be_read_is_named_and_fails(shop: Path) -> None:
    (shop / "tests" / "test_bad.py").write_text("def test_it(:\n")
    done = migrate(shop, "scan")
    assert done.returncode == 1
    assert "tests/test_bad.py could not be read: line 1: invalid syntax" in done.stdout
    assert migrate_json(shop, "scan")["unreadable"] == [
        {"path": "tests/test_bad.py", "error": "line 1: invalid syntax"}
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scan", "nowhere"], "nowhere is not there; name a directory of tests"),
        (["scan", "tests", "--project", "app"], "lies outside of the project"),
    ],
)
def test_a_wrong_path_is_an_error(shop: Path, arguments: list[str], words: str) -> None:
    done = migrate(shop, *arguments)
    assert done.returncode == 1
    assert words in done.stderr


def test_each_scan_adds_one_line_to_the_history(shop: Path) -> None:
    for _ in range(2):
        assert migrate(shop, "scan", "--history", "history.jsonl").returncode == 0
    first, second = map(json.loads, (shop / "history.jsonl").read_text().splitlines())
    assert first["counts"] == second["counts"] == migrate_json(shop, "scan")["counts"]
    assert first["time"] <= second["time"]


def test_a_damaged_history_is_an_error_that_names_the_line(shop: Path) -> None:
    (shop / "history.jsonl").write_text('{"version": 1}\n')
    done = migrate(shop, "scan", "--history", "history.jsonl", "--html", "page.html")
    assert done.returncode == 1
    assert "history.jsonl, line 1: KeyError('counts'); this is no record" in done.stderr
    assert not (shop / "page.html").exists()
