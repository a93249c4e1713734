"""`migrate convert`: what is written and kept, what is told, and the way back to the mocks."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from realservices.cli.main import main
from realservices.cli.mocks import convert as command
from realservices.contract.errors import RealServicesError
from realservices.mocks.convert.conversion_results import FileResult
from realservices.mocks.convert.twins import TwinError, write_with_twin
from tests.mocks.converting import SHOP

if TYPE_CHECKING:
    from collections.abc import Callable

_ROOT = Path(__file__).parents[2]
# Redis alone: for a database the real tables are read from a server (tests/e2e/migrate_test.py).
_FILE = SHOP / "tests" / "test_cache.py"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "shop"
    shutil.copytree(SHOP, root, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (root / "tests").glob("test_*.py"):
        if path.name != _FILE.name:
            path.unlink()
    (root / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\nasyncio_mode = "auto"\n')
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def convert(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def run(*arguments: str) -> tuple[int, str]:
        code = main(["migrate", "convert", *arguments])
        return code, capsys.readouterr().out

    return run


def test_a_diff_is_shown_and_nothing_is_written(shop: Path, convert: Callable[..., tuple[int, str]]) -> None:
    code, text = convert("tests")
    assert code == 0
    assert "+async def test_caching(isolated_redis):" in text
    assert "Nothing is written yet: --write does it" in text
    assert (shop / "tests" / _FILE.name).read_bytes() == _FILE.read_bytes()
    assert [path.name for path in (shop / "tests").glob("*test_cache*.py")] == [_FILE.name]


def test_the_original_is_kept_and_twice_is_as_once(shop: Path, convert: Callable[..., tuple[int, str]]) -> None:
    assert convert("tests", "--write", "--check-import")[0] == 0
    path = shop / "tests" / _FILE.name
    once = path.read_text()
    ast.parse(once)
    assert (shop / "tests" / "mocked_test_cache.py").read_bytes() == _FILE.read_bytes()
    assert path.stat().st_mode & 0o777 == _FILE.stat().st_mode & 0o777
    convert("tests", "--write")
    assert path.read_text() == once
    assert convert("tests", "--drop-mocks") == (0, f"removed {shop}/tests/mocked_test_cache.py\n1 originals removed\n")
    assert sorted(each.name for each in (shop / "tests").glob("*test_cache*.py")) == [_FILE.name]


def _leave_one(shop: Path) -> None:
    path = shop / "tests" / _FILE.name
    path.write_text(path.read_text().replace("ConnectionError", "KeyError"))


def test_json(shop: Path, convert: Callable[..., tuple[int, str]]) -> None:
    _leave_one(shop)
    content = json.loads(convert("tests", "--json")[1])
    (file,) = content["files"]
    assert (content["version"], content["left"], file["written"]) == (1, len(file["left"]), False)
    assert "TestLimiter.test_first" in file["converted"]
    assert file["services"] == ["redis"]
    assert {"test", "line", "what", "why", "remedy"} == file["left"][0].keys()
    assert file["file"] == f"{shop}/tests/test_cache.py"


def test_templates(shop: Path, convert: Callable[..., tuple[int, str]]) -> None:
    _leave_one(shop)
    convert("tests", "--templates", str(shop / "templates"))
    text = (shop / "templates" / "template_tests_test_cache.py").read_text()
    assert "test_redis_is_down" in text
    assert "# async def test_redis_is_down_on_redis(isolated_redis):" in text
    ast.parse(text)


def test_a_path_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "convert", "nowhere"]) == 1
    assert "nowhere: there is no such file or directory" in capsys.readouterr().err


def test_a_missing_libcst_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libcst", None)
    with pytest.raises(RealServicesError, match=r"pip install 'rules-realservices\[migrate\]'"):
        command.check_libcst()


def test_a_file_that_cannot_be_imported_afterwards_stays(
    shop: Path, convert: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "realservices.mocks.convert.suite.import_problem",
        lambda text, *_: "ImportError: x" if "isolated_redis" in text else "",
    )
    code, text = convert("tests", "--write", "--check-import")
    assert code == 1
    assert "the converted file cannot be imported, so it stays as it is: ImportError: x" in text
    assert (shop / "tests" / _FILE.name).read_bytes() == _FILE.read_bytes()


def test_a_twin_that_pytest_would_collect_is_refused(shop: Path) -> None:
    (shop / "pytest.ini").write_text("[pytest]\npython_files = *.py\n")
    (shop / "pyproject.toml").write_text("")
    path = shop / "tests" / _FILE.name
    with pytest.raises(
        TwinError, match=r"kept as mocked_test_cache.py, which pytest collects \(python_files = \*\.py\)"
    ):
        write_with_twin(FileResult(path=path, before="", after="x = 1\n"), shop)
    assert path.read_bytes() == _FILE.read_bytes()


def test_a_twin_that_lacks_a_test_is_refused(shop: Path) -> None:
    path = shop / "tests" / _FILE.name
    (shop / "tests" / "mocked_test_cache.py").write_text("def test_other(): ...\n")
    with pytest.raises(TwinError, match="lacks test_new, which is converted now"):
        write_with_twin(FileResult(path=path, before="", after="x = 1\n", converted=["test_new"]), shop)


def _pytest(directory: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "realservices.fixtures.plugin",
        *arguments,
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {"PYTHONPATH": str(_ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables}
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(("name", "twin"), [("test_a.py", "mocked_test_a.py"), ("a_test.py", "a_test_mocked.py")])
def test_the_way_back_runs_the_original_under_the_same_names(tmp_path: Path, name: str, twin: str) -> None:
    (tmp_path / name).write_text("def test_one(isolated_redis_sync): isolated_redis_sync.ping()\n")
    (tmp_path / twin).write_text("def test_one():\n    value = 1\n    assert value == 2\n")
    done = _pytest(tmp_path, name, USE_REAL_SERVICES="false")
    assert f"FAILED {name}::test_one - assert 1 == 2" in done.stdout, done.stdout + done.stderr
    assert "1 failed" in done.stdout


def test_without_the_switch_the_original_is_not_collected(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_one(): pass\n")
    (tmp_path / "mocked_test_a.py").write_text("def test_one(): assert False\ndef test_two(): assert False\n")
    done = _pytest(tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_files_without_an_original_run_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_one(): pass\ndef test_two(isolated_redis_sync): pass\n")
    done = _pytest(tmp_path, USE_REAL_SERVICES="0")
    assert "1 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
