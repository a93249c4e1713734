"""Where the old version of a test comes from, and how it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from realservices.mocks.verify.errors import VerifyError
from realservices.mocks.verify.old_version import OldVersion, find_old_version, twins
from realservices.mocks.verify.snapshot import make_snapshot
from realservices.mocks.verify.tested_project import find_project, is_test_code
from tests.mocks.verify_project import APP, MOCKED, REAL, Project, results


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = Project(tmp_path.resolve() / "project", {"tests/test_a.py": "new\n"})
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


def old(project: Project, **options: str | Path) -> OldVersion:
    found = find_project(project.directory)
    return find_old_version(found, "tests/test_a.py", **options)  # type: ignore[arg-type]


def test_the_twin_comes_first(project: Project) -> None:
    project.commit()
    project.write({"tests/test_a.py": "newer\n"})
    assert old(project).shown == "tests/test_a.py at HEAD"
    project.write({"tests/test_a_mocked.py": ""})
    assert old(project).shown == "tests/test_a_mocked.py"
    project.write({"tests/mocked_test_a.py": ""})
    assert old(project).shown == "tests/mocked_test_a.py"
    assert old(project, old=Path("pyproject.toml")).path == "pyproject.toml"
    assert old(project, revision="HEAD").commit


def test_twins_are_named_as_the_converter_names_them() -> None:
    assert twins("a/test_x.py")[0] == "a/mocked_test_x.py"
    assert twins("a/x_test.py")[1] == "a/x_test_mocked.py"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no old version of tests/test_a.py: there is no mocked_test_a.py or test_a_mocked.py beside it, and at HEAD it is the same as now; name one with --old PATH or --old-revision REVISION"),
        ({"revision": "HEAD"}, "no old version of tests/test_a.py: at HEAD it is the same as now; name one with"),
        ({"revision": "none"}, "git knows no revision 'none' in "),
        ({"revision": "--all"}, "git knows no revision '--all' in "),
        ({"old": Path("tests/test_a.py")}, "--old tests/test_a.py is the new test itself; name one with --old PATH"),
        ({"old": Path("tests/none.py")}, "there is no file tests/none.py in "),
        ({"old": Path("../none.py")}, "../none.py is outside of the project "),
    ],
)  # fmt: skip
def test_what_is_no_old_version_is_an_error(project: Project, options: dict[str, str | Path], message: str) -> None:
    project.commit()
    with pytest.raises(VerifyError) as error:
        old(project, **options)
    assert str(error.value).startswith(message)


def test_a_test_that_git_does_not_have_is_an_error(project: Project) -> None:
    project.commit()
    project.write({"tests/test_b.py": ""})
    with pytest.raises(
        VerifyError, match=r"^no old version of tests/test_b.py: .* and HEAD has no such file; name one"
    ):
        find_old_version(find_project(project.directory), "tests/test_b.py")


def test_a_repository_without_a_commit_is_an_error(project: Project) -> None:
    project.git("init", "-q")
    with pytest.raises(VerifyError, match="git knows no revision 'HEAD' in"):
        old(project)


@pytest.mark.parametrize("has_git", [True, False])
def test_no_repository_is_an_error(project: Project, has_git: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_git:
        project.commit()
        monkeypatch.setenv("PATH", str(project.directory))
    with pytest.raises(VerifyError) as error:
        old(project)
    assert str(error.value) == (
        f"no old version of tests/test_a.py: there is no mocked_test_a.py or test_a_mocked.py beside it, and "
        f"{project.directory} is not in a git repository (or git is not installed); name the old file with --old PATH"
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/a.py", True), ("a/tests/b/c.py", True), ("test_a.py", True), ("a/b_test.py", True), ("conftest.py", True),
        ("mocked_test_a.py", True), ("a_test_mocked.py", True), ("app/testing.py", True),
        ("app/users.py", False), ("contest.py", False), ("latest.py", False), ("attest/a.py", False),
    ],
)  # fmt: skip
def test_what_is_test_code(path: str, expected: bool) -> None:
    assert is_test_code(path) == expected


def test_a_view_has_the_tests_as_they_were_and_the_rest_as_it_is(project: Project, tmp_path: Path) -> None:
    project.write(
        {"tests/conftest.py": "old", "tests/data/a.txt": "data", "tests/fakes.py": "gone", "app/a.py": "code"}
    )
    project.write({"tests/deep/er/conftest.py": "same", ".gitignore": "generated.py\n__pycache__\n"})
    project.commit()
    (project.directory / "tests/fakes.py").unlink()
    project.write({"tests/conftest.py": "new", "tests/test_a.py": "newer", "app/a.py": "changed", "generated.py": "g"})
    project.write({"tests/__pycache__/test_a.pyc": "of what is newer"})
    project.write({"tests/test_b.py": "added", "tests/deep/conftest.py": "added"})
    found = find_project(project.directory)
    assert found.repository
    target = tmp_path / "view"
    make_snapshot(found.repository, found.repository.revision("HEAD"), "tests/test_a.py", target)
    files = {path: (target / path) for path in ("tests/test_a.py", "tests/conftest.py", "tests/fakes.py")}
    assert [path.read_text() for path in files.values()] == ["new\n", "old", "gone"]
    assert not any(path.is_symlink() for path in files.values())
    assert (target / "tests/data/a.txt").read_text() == "data"
    assert (target / "app/a.py").read_text() == "changed"
    assert (target / "generated.py").read_text() == "g"
    assert (target / "tests/deep/er/conftest.py").read_text() == "same"
    assert not (target / "tests/test_b.py").exists()
    assert not (target / "tests/__pycache__").exists()
    assert not (target / "tests/deep/conftest.py").exists()
    assert (target / "app").is_symlink()


def test_the_version_in_git_runs_with_its_own_fixtures(tmp_path: Path) -> None:
    fixture = (
        "from unittest.mock import MagicMock\nimport pytest\n\n@pytest.fixture\ndef database(): return MagicMock()\n"
    )
    mocked = MOCKED.replace("    database = MagicMock()\n", "").replace("():\n", "(database):\n")
    files = {"shop/__init__.py": "", "shop/items.py": APP, "tests/conftest.py": fixture, "tests/test_items.py": mocked}
    project = Project(tmp_path / "project" / "part", files)
    whole = Project(tmp_path / "project", {})
    whole.commit()
    project.variables["GIT_CEILING_DIRECTORIES"] = str(tmp_path)
    project.write({"tests/conftest.py": "", "tests/test_items.py": REAL})
    found = project.compare("tests/test_items.py")
    assert found["old"] == "part/tests/test_items.py at HEAD"
    assert results(found)["commit dropped", "pass"] == "kept"
    assert found["counts"]["gained"] > 3
    assert (project.directory / "tests/conftest.py").read_text() == ""
