"""Version and changelog by one command, and what refuses it."""

from __future__ import annotations

import shutil

import pytest

from release import changelog, versions
from release.errors import ReleaseError
from release.main import main
from tests.release.conftest import Repository
from tests.scratch import ROOT

_PLACES = (
    "realservices/__init__.py",
    "MODULE.bazel",
    "docs/install.md",
    "examples/monorepo/MODULE.bazel",
    "bench/workspace/MODULE.bazel.in",
)


def test_every_place_states_one_version() -> None:
    assert versions.order(versions.current(ROOT))


def test_a_candidate_comes_before_its_version() -> None:
    ordered = ["0.9.10", "1.0.0-rc1", "1.0.0-rc2", "1.0.0", "1.0.1"]
    assert sorted(set(ordered), key=versions.order) == ordered


@pytest.mark.parametrize("text", ["", "1.2", "1.2.3.4", "v1.2.3", "1.2.3rc1", "1.02.3", "1.2.3-rc0", "1.2.3\n"])
def test_what_bazel_and_pypi_do_not_order_alike_is_refused(text: str) -> None:
    with pytest.raises(ReleaseError, match=r"is no version: write MAJOR\.MINOR\.PATCH"):
        versions.order(text)


def test_the_open_section_becomes_that_of_the_version() -> None:
    before = "# Changelog\n\n## Unreleased\n\n### Added\n- a\n\n## 1.0.0 (2029-01-01)\n\n- b\n"
    after = changelog.close(before, "1.1.0", "2030-01-02")
    assert changelog.section(after, "1.1.0") == "### Added\n- a\n"
    assert changelog.section(after, "1.0.0") == "- b\n"
    assert changelog.section(after, "Unreleased").strip() == ""
    with pytest.raises(ReleaseError, match="nothing below '## Unreleased'"):
        changelog.close(after, "1.2.0", "2030-01-03")
    with pytest.raises(ReleaseError, match=r"a section for 1\.0\.0 already"):
        changelog.close(before, "1.0.0", "2030-01-03")
    with pytest.raises(ReleaseError, match=r"no section '## 3\.0\.0'"):
        changelog.section(after, "3.0.0")
    with pytest.raises(ReleaseError, match="has 0 sections"):
        changelog.close("# Changelog\n", "1.0.0", "2030-01-03")


def test_a_dry_run_shows_everything_and_changes_nothing(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["version", "7.8.9", "--date=2030-01-02", "--dry-run"], repository.directory) == 0
    shown = capsys.readouterr()
    for path in (*_PLACES, "CHANGELOG.md"):
        assert f"+++ b/{path}" in shown.out
    assert shown.out.count("7.8.9") == len(_PLACES) + 1
    assert "+## 7.8.9 (2030-01-02)" in shown.out
    assert "would be refused: .bcr/metadata.template.json still has OWNER" in shown.err
    assert repository.git("status", "--porcelain") == ""
    assert repository.git("tag") == ""


def test_a_version_is_committed_and_tagged(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    repository.give_it_an_owner()
    assert main(["version", "7.8.9", "--date=2030-01-02"], repository.directory) == 0
    assert "git push --atomic origin HEAD v7.8.9" in capsys.readouterr().out
    assert versions.current(repository.directory) == "7.8.9"
    assert repository.git("log", "-1", "--format=%s") == "Release 7.8.9"
    assert repository.git("describe", "--exact-match") == "v7.8.9"
    assert repository.git("status", "--porcelain") == ""
    assert main(["version", "7.8.9"], repository.directory) == 1
    assert "7.8.9 is not newer than 7.8.9, which is released" in capsys.readouterr().err
    assert main(["notes", "7.8.9"], repository.directory) == 0
    assert "### Added" in capsys.readouterr().out


def test_a_release_from_a_checkout_with_changes_is_refused(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.give_it_an_owner()
    repository.write("LICENSE", "mine")
    assert main(["version", "7.8.9"], repository.directory) == 1
    assert "the checkout has changes that are not committed:\nM LICENSE" in capsys.readouterr().err


def test_a_release_without_an_owner_is_refused(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "7.8.9"], repository.directory) == 1
    assert "still has OWNER: write where the project is at home" in capsys.readouterr().err


def test_places_that_do_not_agree_are_named(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    before = versions.current(repository.directory)
    repository.write("realservices/__init__.py", '__version__ = "5.5.5"\n')
    assert main(["version", "7.8.9"], repository.directory) == 1
    message = capsys.readouterr().err
    assert f"the version differs: realservices/__init__.py has 5.5.5, MODULE.bazel has {before}" in message
    repository.write("realservices/__init__.py", "")
    assert main(["version", "7.8.9"], repository.directory) == 1
    assert "realservices/__init__.py states the version 0 times" in capsys.readouterr().err


def test_outside_of_a_repository_gits_words_are_shown(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(repository.directory / ".git")
    assert main(["version", "7.8.9"], repository.directory) == 1
    assert "status --porcelain --untracked-files=no failed (exit code 128):\n  fatal: " in capsys.readouterr().err
