"""The worked example of docs/mocks.md: bugs that the mock-based tests of billing hide, and that real services find."""

from __future__ import annotations

import difflib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.mocks.verify_project import PYPROJECT, Project, installed_once
from tests.scratch import ROOT

_BILLING = ROOT / "examples" / "monorepo" / "billing"
_BUGS = sorted((_BILLING / "bugs").glob("*.patch"))
_DECLARED = """\
[tool.pytest.ini_options]
asyncio_mode = "auto"

[tool.realservices.services.db]
kind = "postgres"
migrations = ["billing/migrations/*.sql"]
"""
_SAID = {
    "conflict": (
        "test_an_invoice_that_comes_twice_is_stored_once: asyncpg.exceptions.InvalidColumnReferenceError: there is no unique "
        "or exclusion constraint matching the ON CONFLICT specification"
    ),
    "sum": "test_what_is_owed_is_summed_up_and_kept: redis.exceptions.DataError: Invalid input of type: 'Decimal'.",
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example's package as a project of its own, for plain pytest."""
    made = Project(tmp_path / "monorepo", {"pyproject.toml": PYPROJECT + _DECLARED})
    shutil.copytree(_BILLING, made.directory / "billing")
    made.use(installed_once(tmp_path_factory.getbasetemp()))
    return made


def pytest_of(project: Project, file: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [project.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"billing/{file}"], cwd=project.directory,
        env=project.environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def apply(project: Project, patch: Path) -> None:
    subprocess.run(["git", "apply", str(patch)], cwd=project.directory, env=project.environment, check=True)


@pytest.mark.parametrize("bug", _BUGS, ids=lambda path: path.stem)
def test_a_bug_that_the_mock_hides_is_found_by_the_real_service(project: Project, bug: Path) -> None:
    apply(project, bug)
    mocked = pytest_of(project, "invoices_test_mocked.py")
    assert (mocked.returncode, mocked.stdout.splitlines()[-1].partition(" in ")[0]) == (0, "5 passed")
    real = pytest_of(project, "invoices_test.py")
    assert real.returncode == 1
    name, _, error = _SAID[bug.stem].partition(": ")
    assert f"FAILED billing/invoices_test.py::{name}" in real.stdout
    assert error in real.stdout
    found = project.compare("billing/invoices_test.py", code=1)
    assert found["verdict"] == "failing"
    assert _SAID[bug.stem] in found["failing"]


def test_the_diff_is_that_of_the_files() -> None:
    names = ("invoices_test_mocked.py", "invoices_test.py")
    old, new = ((_BILLING / name).read_text(encoding="utf-8").splitlines(keepends=True) for name in names)
    expected = difflib.unified_diff(old, new, f"billing/{names[0]}", f"billing/{names[1]}")
    assert (_BILLING / "conversion.diff").read_text(encoding="utf-8") == "".join(expected)


def test_each_bug_is_tried() -> None:
    assert {path.stem for path in _BUGS} == set(_SAID)


def test_the_converted_tests_notice_more_than_the_mock_based_ones(project: Project) -> None:
    # Both pass, or there is no comparison.
    found = project.compare("billing/invoices_test.py")
    assert found["old"] == "billing/invoices_test_mocked.py"
    assert found["counts"]["lost"] == found["counts"]["neither"] == 0
    assert found["counts"]["gained"] > 15
    assert found["counts"]["kept"] > 15
    assert [test["name"] for test in found["tests"] if not test["old"] or not test["new"]] == []
