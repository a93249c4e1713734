"""What ends a comparison before there is anything to compare, and what is said then."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mocks.verify_project import APP, MOCKED, REAL, Project

_TESTS = {"tests/mocked_test_items.py": MOCKED, "tests/test_items.py": REAL}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project", {"shop/__init__.py": "", "shop/items.py": APP, **_TESTS})


def test_a_new_test_that_fails_is_said_first(project: Project) -> None:
    project.write({"shop/items.py": APP.replace("INTO items (name, price)", "INTO items (name, cost)")})
    done = project.run("tests/test_items.py")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[1:3] == [
        "✗ the new test fails before anything is broken: the conversion is not right, or the real service has found what "
        "the mock hid",
        "  test_add: sqlite3.OperationalError: table items has no column named cost",
    ]  # fmt: skip
    assert any(line.startswith("test_add    passed ") and " failed " in line for line in lines)
    assert lines[-2] == "✗ tests/test_items.py is not done: mend it first; nothing was broken"
    assert "broken code" not in done.stdout


def test_a_new_test_that_cannot_be_imported_is_said_first(project: Project) -> None:
    project.write({"tests/test_items.py": "import no_such_module\n"})
    found = project.compare("tests/test_items.py", code=1)
    assert found["verdict"] == "failing"
    assert "  its import fails:\n" in found["failing"]
    assert "No module named 'no_such_module'" in found["failing"]


def test_a_new_test_whose_process_ends_is_said_first(project: Project) -> None:
    project.write({"tests/test_items.py": "import os\ndef test_a(): os._exit(3)\n"})
    assert "the new test test_items.py does not run: exit code 3" in project.error("tests/test_items.py")


def test_a_new_test_without_a_passing_one_is_said_first(project: Project) -> None:
    project.write({"tests/test_items.py": "import pytest\ndef test_a(): pytest.skip('no server')\n"})
    found = project.compare("tests/test_items.py", code=1)
    assert found["failing"] == "no test of the new one passes: skipped: Skipped: no server"


def test_an_old_test_that_fails_as_a_whole_is_said_first(project: Project) -> None:
    project.write({"tests/mocked_test_items.py": "def test_add(): assert not 'mocked'\n"})
    found = project.compare("tests/test_items.py", code=1)
    assert found["failing"].startswith(
        "no test of the old one passes, so there is nothing to compare with\n  test_add: "
    )


def test_what_is_left_out_is_named(project: Project, tmp_path: Path) -> None:
    once = f"\n\ndef test_once():\n    open({str(tmp_path / 'once')!r}, 'x').close()\n"
    project.write({"tests/mocked_test_items.py": f"{MOCKED}\n\ndef test_old():\n    assert False\n{once}"})
    (project.directory / "shop/words.py").write_bytes("# coding: latin-1\nword = 'ä'\n".encode("latin-1"))
    project.write({"shop/items.py": f"import shop.words\n{APP}"})
    failing, unsteady, unread = project.compare("tests/test_items.py", "--max-mutants", "1")["notes"]
    assert failing == "old tests that fail already are left out: test_old"
    assert unsteady == "old tests that pass only now and then are left out: test_once"
    assert unread.startswith("shop/words.py is not broken: it cannot be read as Python in UTF-8: ")


def test_tests_that_pass_only_once_are_an_error(project: Project, tmp_path: Path) -> None:
    text = f"import shop.items\n\ndef test_once():\n    open({str(tmp_path / 'once')!r}, 'x').close()\n"
    project.write({"tests/test_items.py": text})
    error = project.error("tests/test_items.py")
    assert (
        "the tests of the new test_items.py pass only once: run again, test_once; what they leave behind must" in error
    )
    assert "FileExistsError" in error


def test_what_a_mutant_leaves_behind_makes_the_comparison_void(project: Project, tmp_path: Path) -> None:
    file = str(tmp_path / "left")
    project.write({"shop/items.py": f"def f(x):\n    if x:\n        open({file!r}, 'w').close()\n    return 1\n"})
    text = f"import os.path\nfrom shop.items import f\n\ndef test_f():\n    assert not os.path.exists({file!r})\n    f(False)\n"
    project.write({"tests/test_items.py": text})
    project.write({"tests/mocked_test_items.py": "from shop.items import f\ndef test_f(): f(False)\n"})
    error = project.error("tests/test_items.py")
    assert (
        "the tests of the new test_items.py do not pass any more when the mutants have been tried (test_f), so the "
        in error
    )


def test_a_file_without_a_test_is_an_error(project: Project) -> None:
    project.write({"tests/test_items.py": "import shop.items\n"})
    assert "pytest finds no test in the new test_items.py:\n" in project.error("tests/test_items.py")


def test_a_test_that_runs_nothing_of_the_project_is_an_error(project: Project) -> None:
    project.write(dict.fromkeys(_TESTS, "def test_a(): pass\n"))
    error = project.error("tests/test_items.py")
    assert "neither the old nor the new test runs a line of the code under test in " in error
    assert "they run tests/" in error
    assert "name it with --source, or mend the tests' imports" in error


def test_a_source_that_no_test_runs_is_an_error(project: Project) -> None:
    project.write({"other/a.py": "x = 1\n"})
    error = project.error("tests/test_items.py", "--source", "other")
    assert "neither the old nor the new test runs a line of other of the code under test in " in error


def test_code_in_which_nothing_can_be_broken_is_an_error(project: Project) -> None:
    project.write({"shop/items.py": "def add(): pass\n"})
    project.write(dict.fromkeys(_TESTS, "from shop.items import add\ndef test_a(): add()\n"))
    error = project.error("tests/test_items.py")
    assert "there is nothing to break in the lines of shop/items.py that the tests run" in error


def test_coverage_that_is_not_installed_is_an_error(project: Project, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['coverage'] = None\n")
    project.variables["PYTHONPATH"] = f"{tmp_path}:{project.environment['PYTHONPATH']}"
    error = project.error("tests/test_items.py")
    assert "the package coverage is not installed in " in error
    assert "pip install 'rules-realservices[migrate]'" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tests/none.py"], "there is no file tests/none.py in "),
        (["/etc/hostname"], "/etc/hostname is outside of the project "),
        (["tests/test_items.py", "--source", "none"], "--source none: there is no such file or directory in "),
        (["tests/test_items.py", "--source", "/etc"], "/etc is outside of the project "),
        (["tests/test_items.py", "a.py", "--old", "b.py"], "--old names the old version of one test file, and there are several"),
    ],
)  # fmt: skip
def test_a_path_that_is_none_is_an_error(project: Project, arguments: list[str], message: str) -> None:
    assert f"realservices migrate: {message}" in project.error(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-mutants", "0"], ["--max-mutants", "x"], ["--time-limit", "0"], ["--time-limit", "inf"],
        ["--mutant-timeout", "-1"], ["--old", "a", "--old-revision", "b"],
    ],
)  # fmt: skip
def test_an_option_that_means_nothing_is_wrong_usage(project: Project, arguments: list[str]) -> None:
    done = project.run("tests/test_items.py", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert arguments[0] in done.stderr
