"""`migrate status`: the checklists, and the gate for CI."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.mocks.command import migrate, migrate_json

_MIGRATED = """\
import pytest

pytestmark = pytest.mark.requires_redis


async def test_cached(isolated_redis):
    assert await isolated_redis.get("a") is None
"""


def _states(items: list[dict[str, str]]) -> list[str]:
    return [item["state"] for item in items]


def _file(status: dict[str, Any], path: str) -> dict[str, Any]:
    found: dict[str, Any] = next(file for file in status["files"] if file["path"] == path)
    return found


def _git(directory: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture
def checkout(shop: Path) -> Path:
    _git(shop, "init", "-q")
    _git(shop, "add", "-A")
    _git(shop, "commit", "-qm", "Begin")
    return shop


def test_a_file_with_mocks_is_open(shop: Path) -> None:
    file = _file(migrate_json(shop, "status"), "tests/test_users.py")
    assert _states(file["items"]) == ["open"] * 7
    details = [item["detail"] for item in file["items"]]
    assert details[:5] == [
        "1 are left: line 16",
        "1 are left: line 4",
        "2 are left",
        "add pytest.mark.requires_postgres, pytest.mark.requires_redis",
        "it imports a library of mocks",
    ]


def test_a_migrated_file_is_done_once_its_results_are_known(shop: Path) -> None:
    path = "tests/test_users.py"
    (shop / path).write_text(_MIGRATED)
    assert _states(_file(migrate_json(shop, "status"), path)["items"]) == ["done"] * 5 + ["unknown"] * 2
    cache = shop / ".pytest_cache/v/cache"
    cache.mkdir(parents=True)
    (cache / "nodeids").write_text(json.dumps([f"{path}::test_cached"]))
    (shop / "junit.xml").write_text(
        '<testsuite><testcase classname="tests.test_users" name="test_cached"/></testsuite>'
    )
    status = migrate_json(shop, "status", "--junit", "junit.xml")
    assert _states(_file(status, path)["items"]) == ["done"] * 7
    (cache / "lastfailed").write_text(json.dumps({f"{path}::test_cached": True}))
    (item,) = [one for one in _file(migrate_json(shop, "status"), path)["items"] if one["state"] == "open"]
    assert item["detail"] == "1 of 1 tests failed"


def test_mocks_that_stay_keep_no_file_open(shop: Path) -> None:
    path = shop / "tests" / "test_users.py"
    path.write_text(
        "from unittest.mock import patch\n\n@patch('time.sleep')\ndef test_it(sleep):\n    sleep.assert_called()\n"
    )
    assert _states(_file(migrate_json(shop, "status"), "tests/test_users.py")["items"])[:5] == ["done"] * 5


def test_a_service_is_done_when_it_declares_what_it_needs(shop: Path) -> None:
    (before,) = migrate_json(shop, "status")["services"]
    assert (before["name"], before["leaving"], _states(before["items"])) == (".", 2, ["open"] * 5 + ["unknown"])
    (shop / "tests" / "test_users.py").write_text(_MIGRATED)
    (shop / "README.md").write_text("Tests run on real services.\n")
    services = "\n[tool.realservices.services.cache]\nkind = 'redis'\n"
    (shop / "pyproject.toml").write_text("[project]\ndependencies = ['rules-realservices']\n" + services)
    (after,) = migrate_json(shop, "status")["services"]
    assert _states(after["items"]) == ["done"] * 4 + ["unknown"] * 2


def test_the_suite_says_what_is_left(shop: Path) -> None:
    done = migrate(shop, "status", "--files")
    assert done.returncode == 0
    assert "  ✗ Files are migrated in the order of complexity: left are 0 simple, 1 moderate, 0 complex" in done.stdout
    assert "tests/test_users.py (moderate)" in done.stdout
    assert "0 of 1 files are done" in done.stdout


@pytest.mark.parametrize(("limit", "code"), [("1", 1), ("2", 0)])
def test_more_mocks_than_the_limit_fail(shop: Path, limit: str, code: int) -> None:
    done = migrate(shop, "status", "--fail-if-more-than", limit)
    assert done.returncode == code
    words = "more than 1" if code else "not more than 2"
    assert done.stdout.splitlines()[-1] == f"2 mocks to be replaced: {words}"
    assert migrate_json(shop, "status", "--fail-if-more-than", limit)["verdict"] == ("error" if code else "ok")


def test_only_new_mocks_in_a_diff_fail(checkout: Path) -> None:
    assert migrate(checkout, "status", "--new-in-diff", "HEAD").returncode == 0
    path = checkout / "tests" / "test_users.py"
    path.write_text("# One more line.\n" + path.read_text() + "    other = MagicMock()\n    other.hget('a', 'b')\n")
    (checkout / "tests" / "test_new ü.py").write_text("import fakeredis\nclient = fakeredis.FakeRedis()\n")
    done = migrate(checkout, "status", "--new-in-diff", "HEAD")
    assert done.returncode == 1
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()] == [
        "tests/test_new ü.py:2",
        "tests/test_users.py:20",
        "2 new mocks to be replaced",
    ]
    assert migrate(checkout, "status", "--new-in-diff", "HEAD", "--fail-if-more-than", "2").returncode == 0
    _git(checkout, "add", "-A")
    new = migrate_json(checkout, "status", "--new-in-diff", "HEAD")["gate"]["new"]
    assert [(one["path"], one["line"]) for one in new] == [("tests/test_new ü.py", 2), ("tests/test_users.py", 20)]


def test_moved_files_are_not_new(checkout: Path) -> None:
    _git(checkout, "mv", "tests/test_users.py", "tests/test_people.py")
    assert migrate(checkout, "status", "--new-in-diff", "HEAD").returncode == 0


def test_a_project_within_a_checkout_has_its_own_paths(checkout: Path) -> None:
    (checkout / "api" / "tests").mkdir(parents=True)
    (checkout / "api" / "pyproject.toml").write_text("")
    (checkout / "api" / "tests" / "test_it.py").write_text("import fakeredis\nclient = fakeredis.FakeRedis()\n")
    for _ in range(2):
        done = migrate(checkout / "api", "status", "--new-in-diff", "HEAD")
        assert done.stdout.startswith("tests/test_it.py:2: fake library of redis is not in HEAD")
        _git(checkout, "add", "-A")


@pytest.mark.parametrize("revision", ["no-such-branch", "--output=x"])
def test_an_unknown_revision_is_an_error(checkout: Path, revision: str) -> None:
    done = migrate(checkout, "status", f"--new-in-diff={revision}")
    assert done.returncode == 1
    assert revision in done.stderr
    assert not (checkout / "x").exists()


def test_without_a_checkout_there_is_no_diff(shop: Path) -> None:
    done = migrate(shop, "status", "--new-in-diff", "HEAD")
    assert done.returncode == 1
    assert "not a git repository" in done.stderr.lower()


def test_an_unreadable_file_fails_the_gate(shop: Path) -> None:
    (shop / "tests" / "test_bad.py").write_text("x = \n")
    done = migrate(shop, "status", "--fail-if-more-than", "100")
    assert done.returncode == 1
    assert "tests/test_bad.py could not be read: line 1: invalid syntax" in done.stdout


def test_a_damaged_junit_file_is_an_error(shop: Path) -> None:
    (shop / "junit.xml").write_text("<testsuite>")
    done = migrate(shop, "status", "--junit", "junit.xml")
    assert done.returncode == 1
    assert "junit.xml is no JUnit file that can be read" in done.stderr


def test_originals_that_a_conversion_keeps_are_not_counted(checkout: Path) -> None:
    test = checkout / "tests" / "test_users.py"
    test.rename(test.with_name("mocked_test_users.py"))
    test.write_text(_MIGRATED)
    named = migrate_json(checkout, "scan", "tests/mocked_test_users.py")
    assert migrate_json(checkout, "scan")["counts"]["mocks"] == 0
    assert named["counts"]["mocks"] == 3
    done = migrate(checkout, "status", "--new-in-diff", "HEAD")
    assert done.returncode == 0, done.stdout


def test_a_file_that_is_only_called_like_an_original_is_counted(checkout: Path) -> None:
    test = checkout / "tests" / "test_users.py"
    test.rename(test.with_name("mocked_test_others.py"))
    assert migrate_json(checkout, "scan")["counts"]["mocks"] == 3


def test_a_conftest_without_tests_needs_no_markers(shop: Path) -> None:
    conftest = "import pytest\n\n\n@pytest.fixture\ndef users(isolated_database):\n    return isolated_database\n"
    (shop / "tests" / "conftest.py").write_text(conftest)
    assert _states(_file(migrate_json(shop, "status"), "tests/conftest.py")["items"]) == ["done"] * 7
