"""A small project with every form of mocks, whose lines say what is to be found in them: `#= form | service | stays`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from realservices.mocks.scan import Project, scan_source, scan_tree

_SAMPLE = Path(__file__).parent / "sample"
_FILES = sorted(path.relative_to(_SAMPLE).with_suffix("") for path in _SAMPLE.rglob("*.py.txt"))
_TESTS = [path for path in _FILES if path.parts[0] == "tests"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("project")
    for path in _FILES:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_SAMPLE / f"{path}.txt", root / path)
    return Project(root)


def _labels(text: str) -> list[tuple[int, str]]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        _, mark, label = line.partition("#= ")
        found += [(number, one.strip()) for one in label.split(" + ") if mark]
    return sorted(found)


@pytest.mark.parametrize("path", _TESTS, ids=str)
def test_what_is_labelled_is_found_and_nothing_else(path: Path, project: Project) -> None:
    text = (project.root / path).read_text(encoding="utf-8")
    uses = scan_source(text, path, project).uses
    found = [(use.line, f"{use.form} | {use.service}" + (" | stays" if use.stays else "")) for use in uses]
    assert sorted(found) == _labels(text)


@pytest.mark.parametrize("path", _TESTS, ids=str)
def test_each_has_evidence(path: Path, project: Project) -> None:
    text = (project.root / path).read_text(encoding="utf-8")
    assert all(use.evidence and all(use.evidence) for use in scan_source(text, path, project).uses)


def test_the_tree_is_the_sum_of_its_files(project: Project) -> None:
    suite = scan_tree(project.root)
    assert [file.path for file in suite.files] == _TESTS
    for file in suite.files:
        text = (project.root / file.path).read_text(encoding="utf-8")
        assert file == scan_source(text, file.path, project)


def test_processes_find_what_one_finds(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = scan_tree(project.root, processes=1)
    monkeypatch.setattr("realservices.mocks.scan.tree._WORTH_A_POOL", 1)
    assert scan_tree(project.root, processes=2) == alone
