"""What a comparison says of a converted test: kept, gained, lost."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.mocks.verify_project import APP, MOCKED, REAL, Project, results

_TESTS = {"tests/mocked_test_items.py": MOCKED, "tests/test_items.py": REAL + "\n\ndef test_new():\n    pass\n"}
_FILES = {"shop/__init__.py": "", "shop/items.py": APP, **_TESTS}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project", _FILES)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that no test changes."""
    return Project(tmp_path_factory.mktemp("verify") / "project", _FILES)


@pytest.fixture(scope="module")
def found(unchanged: Project) -> dict[str, Any]:
    """Its comparison, with all plugins that are installed here."""
    unchanged.load_plugins()
    return unchanged.compare("tests/test_items.py")


def test_what_only_the_real_service_notices_is_gained(found: dict[str, Any]) -> None:
    result = results(found)
    column = 'row = database.execute("SELECT x_price FROM items WHERE name = ?", (name,)).fetchone()'
    where = 'row = database.execute("SELECT price FROM items WHERE 1 = 1 OR name = ?", (name,)).fetchone()'
    assert result["SQL column changed", column] == "gained"
    assert result["SQL WHERE dropped", where] == "gained"
    assert result["exception not handled", "except ():"] == "gained"
    assert result["commit dropped", "pass"] == "kept"
    assert result["return value dropped", "return None"] == "kept"
    assert found["verdict"] == "ok"
    assert found["counts"]["lost"] == 0
    assert found["old"] == "tests/mocked_test_items.py"
    assert found["not_tried"] == 0
    assert found["found"] == len(found["mutants"])
    assert found["notes"] == []


def test_tests_are_side_by_side(found: dict[str, Any]) -> None:
    assert [test["name"] for test in found["tests"]] == ["test_add", "test_price", "test_new"]
    add, price, new = found["tests"]
    assert new["old"] is None
    assert (add["old"]["outcome"], add["new"]["outcome"]) == ("passed", "passed")
    assert 0 < add["old"]["seconds"] < 10
    # test_price of the new one adds items first.
    assert price["new"]["lines"] > price["old"]["lines"] > 0
    lines = found["lines"]["shop/items.py"]
    assert set(lines["new"]) - set(lines["old"]) == {7, 8}


def test_the_table_says_it_all_and_the_same_each_time(unchanged: Project, found: dict[str, Any]) -> None:
    done = unchanged.run("tests/test_items.py")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "tests/test_items.py, and its old version tests/mocked_test_items.py"
    row = next(line for line in lines if line.startswith("shop/items.py  "))
    tried, kept, gained, lost, neither = map(int, row.split()[1:])
    expected = found["counts"]
    assert tried == kept + gained + lost + neither
    assert (kept, gained, lost, neither) == tuple(expected[name] for name in ("kept", "gained", "lost", "neither"))
    assert f"✓ tests/test_items.py notices all that the old test notices, and {gained} more" in lines
    assert any(line.startswith(f"{tried} mutants in ") and line.endswith(" a second") for line in lines)
    assert done.stderr == ""


def test_a_test_that_notices_less_is_not_done(project: Project) -> None:
    less = REAL.replace("    assert sqlite3.connect(file)", "    sqlite3.connect(file)")
    project.write({"tests/test_items.py": less.split("\n\n\ndef test_price")[0] + "\n"})
    done = project.run("tests/test_items.py", "--all")
    assert done.returncode == 1
    before, lost = done.stdout.split("lost: the old test notices it, and the new one does not\n")
    assert "  shop/items.py:9  commit dropped  (old: test_add)\n      -    database.commit()\n      +    pass\n" in lost
    assert re.search(r"✗ tests/test_items.py is not done: it notices less than the old test, \d+ lost", lost)
    assert "gained: only the new test notices it" in before
    # And it lacks a test.
    assert "  only the old test runs shop/items.py:14,15\n" in done.stdout
    assert "(old: test_price; new: does not run the line)" in lost
    assert "test_price  passed" in done.stdout


def test_nothing_is_written_into_the_project(project: Project) -> None:
    def tree() -> dict[str, bytes]:
        return {str(path): path.read_bytes() if path.is_file() else b"" for path in project.directory.rglob("*")}

    # Nor is what others have compiled already compiled once more.
    compiled = (
        "\n\ndef test_compiled():\n    import pytest\n    assert pytest.__cached__.startswith(pytest.__file__[:-11])\n"
    )
    project.write({name: text + compiled for name, text in _TESTS.items()})
    before = tree()
    found = project.compare("tests/test_items.py", "--max-mutants", "3")
    assert found["tests"][-1]["name"] == "test_compiled"
    assert tree() == before


def test_several_tests_are_compared_in_turn_and_no_mutant_is_begun_after_the_time(project: Project) -> None:
    project.write({"tests/test_other.py": REAL, "tests/test_other_mocked.py": MOCKED})
    done = project.run("tests/test_items.py", "tests/test_other.py", "--time-limit", "0.000001")
    assert done.returncode == 0
    assert "tests/test_other.py, and its old version tests/test_other_mocked.py" in done.stdout
    assert done.stdout.count("✓") == 2
    none = r"0 mutants in .* 0\.0 a second; (\d+) of \1 were not tried \(--max-mutants, --time-limit\)"
    assert len(re.findall(none, done.stdout)) == 2


def test_only_what_is_named_is_broken(project: Project) -> None:
    project.write({"shop/names.py": "def clean(name):\n    return name.strip()\n"})
    project.write(
        {"shop/items.py": APP.replace("import sqlite3\n", "import sqlite3\n\nfrom shop.names import clean\n")}
    )
    project.write(
        {"shop/items.py": (project.directory / "shop/items.py").read_text().replace("(name,)", "(clean(name),)")}
    )
    every = project.compare("tests/test_items.py", "--time-limit", "0.1")
    assert {"shop/items.py", "shop/names.py"} <= set(every["lines"])
    found = project.compare("tests/test_items.py", "--source", "shop/names.py")
    assert Counter(each["path"] for each in found["mutants"]) == {"shop/names.py": 1}


_DANGEROUS = """\
import os


def wait(n):
    while n:
        n -= 1
    return n


def end(armed):
    if armed:
        os.kill(os.getpid(), 9)
    return 1


def leave(armed):
    if armed:
        os._exit(0)
    return 1
"""
_DANGER = """\
from shop.items import end, leave, wait

import time

class Slow(int):
    # A loop that does not end leaves the processor to others.
    def __gt__(self, other): time.sleep(0.01); return int(self) > other

def test_wait(): assert wait(Slow(3)) == 0
def test_end(): assert end(False) == 1
def test_leave(): assert leave(False) == 1
"""


def test_a_hanging_and_a_killed_process_count_as_noticed(project: Project) -> None:
    tests = dict.fromkeys(_TESTS, _DANGER)
    # Of this one only one mutant hangs.
    project.write({"shop/items.py": _DANGEROUS.replace("while n:", "while n > 0:"), **tests})
    begin = time.monotonic()
    found = project.compare("tests/test_items.py", "--mutant-timeout", "2")
    by = {(each["line"], each["change"]): each["new"]["by"] for each in found["mutants"]}
    assert by[6, "statement removed"] == "the process ended in time-out"
    assert by[11, "condition negated"] == "the process ended by signal 9"
    assert by[17, "condition negated"] == "the process ended before pytest did"
    assert found["counts"]["neither"] == found["counts"]["lost"] == 0
    assert time.monotonic() - begin < 60


def test_processes_of_a_hanging_mutant_end_with_it(project: Project, tmp_path: Path) -> None:
    source = (
        "import subprocess\n\n\ndef wait(file):\n    child = subprocess.Popen(['sleep', '600'])\n"
        "    file.open('a').write(f'{child.pid}\\n')\n    child.kill()\n    child.wait()\n"
    )
    test = f"from pathlib import Path\nfrom shop.items import wait\n\ndef test_wait(): wait(Path({str(tmp_path / 'pids')!r}))\n"
    project.write({"shop/items.py": source, **dict.fromkeys(_TESTS, test)})
    found = project.compare("tests/test_items.py", "--mutant-timeout", "2")
    hanging = next(each for each in found["mutants"] if (each["line"], each["change"]) == (7, "statement removed"))
    assert hanging["new"]["by"] == "the process ended in time-out"
    # The line that writes them is broken, too.
    pids = [int(word.rpartition("-")[2]) for word in (tmp_path / "pids").read_text().split()]
    assert pids
    assert not any(Path(f"/proc/{pid}/cmdline").exists() and b"600" in _command(pid) for pid in pids)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_comparison_leaves_nothing(project: Project, tmp_path: Path, number: int) -> None:
    (tmp_path / "scratch").mkdir()
    project.variables["TMPDIR"] = str(tmp_path / "scratch")
    test = f"import os, time\nfrom shop.items import wait\n\ndef test_wait():\n    open({str(tmp_path / 'pid')!r}, 'a').write(f'{{os.getpid()}} ')\n    assert wait(2) == 0\n"
    project.write({"shop/items.py": _DANGEROUS, **dict.fromkeys(_TESTS, test)})
    process = subprocess.Popen(
        project.command("tests/test_items.py", "--mutant-timeout", "100"), cwd=project.directory, env=project.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    # Both sides under coverage, without it, and with a mutant that hangs: it is the first of the file.
    while len(_pids(tmp_path)) < 6 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, number)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors.strip()) == (130, "", "")
    assert not any(b"fork_server" in _command(pid) for pid in _pids(tmp_path))
    assert list((tmp_path / "scratch").glob("realservices-verify-*")) == []


def test_a_run_that_hangs_under_coverage_can_be_interrupted(project: Project, tmp_path: Path) -> None:
    hanging = f"import os, time\n\ndef test_a():\n    open({str(tmp_path / 'pid')!r}, 'a').write(f'{{os.getpid()}} ')\n    time.sleep(600)\n"
    project.write(dict.fromkeys(_TESTS, hanging))
    process = subprocess.Popen(
        project.command("tests/test_items.py"), cwd=project.directory, env=project.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(_pids(tmp_path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert not any(b"covered_run" in _command(pid) for pid in _pids(tmp_path))


def test_mutants_are_spread_if_there_are_too_many_and_progress_is_shown_on_a_terminal(unchanged: Project) -> None:
    ours, its = pty.openpty()
    done = subprocess.run(
        unchanged.command("tests/test_items.py", "--max-mutants", "4", "--json"), cwd=unchanged.directory,
        env=unchanged.environment, stdout=subprocess.PIPE, stderr=its, timeout=120, check=False,
    )  # fmt: skip
    os.close(its)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "\r\x1b[Krunning the old and the new test under coverage" in shown
    assert "\r\x1b[K4 of 4 mutants tried" in shown
    assert shown.endswith("\r\x1b[K")
    (found,) = json.loads(done.stdout)["files"]
    assert len(found["mutants"]) == 4
    assert found["not_tried"] == found["found"] - 4 > 0
    assert found["mutants"][-1]["line"] > 12


def _pids(directory: Path) -> list[int]:
    file = directory / "pid"
    return [int(word) for word in file.read_text().split()] if file.exists() else []
