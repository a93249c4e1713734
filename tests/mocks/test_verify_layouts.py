"""Projects of all shapes: where the code lies, how it is imported, how the tests are written and configured."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from realservices.cli.mocks import verify
from tests.mocks.verify_project import APP, MOCKED, PYPROJECT, REAL, Project, results

_TESTS = {"tests/mocked_test_items.py": MOCKED, "tests/test_items.py": REAL}
# One that is kept and one that is gained are enough here.
_FEW = ("--source", "CODE", "--max-mutants", "6")


def compare(project: Project, code: str, *arguments: str) -> dict[str, Any]:
    found = project.compare("tests/test_items.py", *(word.replace("CODE", code) for word in _FEW), *arguments)
    assert {each["path"] for each in found["mutants"]} == {code}
    assert {"kept", "gained"} <= set(results(found).values())
    assert "not applied" not in {each[side]["sight"] for each in found["mutants"] for side in ("old", "new")}
    return found


def test_a_src_layout_and_a_run_on_mocks_that_is_not_compared_with_itself(tmp_path: Path) -> None:
    settings = PYPROJECT + '[tool.pytest.ini_options]\npythonpath = ["src"]\n'
    project = Project(tmp_path / "a", {"src/shop/items.py": APP, "src/shop/__init__.py": "", **_TESTS})
    project.write({"pyproject.toml": settings})
    project.variables["USE_REAL_SERVICES"] = "false"
    compare(project, "src/shop/items.py")


def test_an_editable_installation(tmp_path: Path) -> None:
    project = Project(tmp_path / "a", {"src/shop/items.py": APP, "src/shop/__init__.py": "", **_TESTS})
    hook = (
        "import importlib.util, sys\n\n"
        "class Finder:\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        "        if name == 'shop':\n"
        f"            place = {str(project.directory / 'src' / 'shop')!r}\n"
        "            return importlib.util.spec_from_file_location(\n"
        "                name, place + '/__init__.py', submodule_search_locations=[place])\n\n"
        "sys.meta_path.append(Finder)\n"
    )
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(hook)
    project.variables["PYTHONPATH"] = f"{tmp_path / 'site'}:{project.environment['PYTHONPATH']}"
    compare(project, "src/shop/items.py")


def test_a_namespace_package_and_links(tmp_path: Path) -> None:
    project = Project(tmp_path / "a", {"lib/items.py": APP, **_TESTS})
    os.symlink("lib", project.directory / "shop")
    compare(project, "lib/items.py")


def test_import_mode_importlib_and_options_of_the_project(tmp_path: Path) -> None:
    options = '[tool.pytest.ini_options]\naddopts = "--import-mode=importlib -x --ff -v --strict-markers -n 2"\n'
    warnings = 'filterwarnings = ["error"]\n'
    project = Project(tmp_path / "a", {"shop/items.py": APP, "shop/__init__.py": "", **_TESTS})
    project.write({"pyproject.toml": PYPROJECT + options + warnings})
    project.load_plugins()
    project.write({"tests/test_items.py": REAL.replace("sqlite3.connect(file)", "connect(file)").replace(
        "import pytest\n", "import pytest\nimport gc, warnings\nwarnings.simplefilter('ignore')\nfrom sqlite3 import connect\n"
    )})  # fmt: skip
    compare(project, "shop/items.py", "--pytest-argument=-Wignore::ResourceWarning")


_CLASS = """\
import sqlite3
import unittest

from shop.items import add, price_of


class TestItems(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.database = sqlite3.connect(":memory:")
        cls.database.execute("CREATE TABLE items (name TEXT UNIQUE, price INT)")

    def test_add(self):
        for name in ("pen", "ink"):
            with self.subTest(name):
                self.assertTrue(add(self.database, name))

    def test_price(self):
        add(self.database, "cup", 3)
        self.assertEqual(price_of(self.database, "cup"), 3)


class TestLater(unittest.IsolatedAsyncioTestCase):
    async def test_later(self):
        self.assertIsNone(price_of(TestItems.database, "none"))
"""


def test_classes_of_unittest(tmp_path: Path) -> None:
    mocked = (
        "import unittest\nfrom unittest.mock import MagicMock\nfrom shop.items import add\n\n\n"
        "class TestItems(unittest.TestCase):\n    def test_add(self):\n        self.assertTrue(add(MagicMock(), 'pen'))\n"
    )
    project = Project(tmp_path / "a", {"shop/items.py": APP, "tests/mocked_test_items.py": mocked})
    project.write({"tests/test_items.py": _CLASS})
    found = project.compare("tests/test_items.py")
    assert results(found)["return value dropped", "return None"] == "gained"
    assert found["counts"]["kept"] >= 1
    names = [test["name"] for test in found["tests"]]
    assert names == ["TestItems::test_add", "TestItems::test_price", "TestLater::test_later"]
    assert found["tests"][0]["old"]["outcome"] == "passed"


_ASYNC = """\
import asyncio

async def double(x):
    await asyncio.sleep(0)
    return x + x
"""
_WIDE = """\
import asyncio
import pytest
from shop.items import double

@pytest.fixture(scope="module")
def four():
    return asyncio.run(double(2))

@pytest.mark.parametrize("x", [1, 2], ids=["one [a::b]", "two"])
async def test_double(x):
    assert await double(x) == 2 * x

def test_first(four):
    assert four

def test_second(four):
    assert four == 4
"""


def test_asynchronous_tests_parameters_and_shared_fixtures(tmp_path: Path) -> None:
    settings = PYPROJECT + '[tool.pytest.ini_options]\nasyncio_mode = "auto"\n'
    second = (
        _WIDE.split("@pytest.mark")[0]
        + "def test_first(four): assert four\n\ndef test_second(four): assert four == 4\n"
    )
    project = Project(tmp_path / "a", {"shop/items.py": _ASYNC, "tests/mocked_test_items.py": second})
    project.write({"tests/test_items.py": _WIDE, "pyproject.toml": settings})
    project.load_plugins()
    found = project.compare("tests/test_items.py")
    assert [test["name"] for test in found["tests"]][:2] == ["test_double[one [a::b]]", "test_double[two]"]
    # Only the second of the old tests sees it: what a shared fixture runs, all tests run.
    assert results(found)["operator changed", "return x - x"] == "kept"
    changed = next(each for each in found["mutants"] if each["change"] == "operator changed")
    assert changed["old"]["by"] in ("test_first", "test_second")


def test_code_that_others_import_first_is_broken_nevertheless(tmp_path: Path) -> None:
    project = Project(tmp_path / "a", {"shop/items.py": APP, "shop/__init__.py": "", **_TESTS})
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "framework.py").write_text("import shop.items\n")
    project.variables["PYTHONPATH"] = f"{tmp_path / 'others'}:{project.environment['PYTHONPATH']}"
    project.write({name: f"import framework\n{text}" for name, text in _TESTS.items()})
    compare(project, "shop/items.py")


def test_code_that_is_there_before_pytest_cannot_be_broken(tmp_path: Path) -> None:
    project = Project(tmp_path / "a", {"shop/items.py": APP, "shop/__init__.py": "", **_TESTS})
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import shop.items\n")
    project.variables["PYTHONPATH"] = f"{tmp_path / 'site'}:{project.directory}:{project.environment['PYTHONPATH']}"
    done = project.run("tests/test_items.py", "--max-mutants", "2", "--all")
    assert "(the changed file was imported before the tests)" in done.stdout, done.stderr


def test_a_directory_below_the_project(tmp_path: Path) -> None:
    settings = PYPROJECT + '[tool.pytest.ini_options]\npythonpath = ["."]\n'
    whole = Project(tmp_path / "a", {"shop/items.py": APP, "shop/__init__.py": "", **_TESTS})
    whole.write({"pyproject.toml": settings})
    below = Project(tmp_path / "a" / "tests", {})
    (below.directory / "pyproject.toml").unlink()
    found = below.compare("test_items.py", "--source", "../shop", "--max-mutants", "6")
    assert found["test"] == "tests/test_items.py"
    assert {"kept", "gained"} <= set(results(found).values())


def test_the_command_can_be_asked_for_help(tmp_path: Path) -> None:
    done = Project(tmp_path / "a", {}).run("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: realservices migrate verify")
    assert verify.__doc__
    assert verify.__doc__.strip().splitlines()[0] in done.stdout
