"""A kind of service of a project's own, as docs/own_kinds.md has it: with Bazel, and with plain pytest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.documented import projects
from tests.scratch import ROOT, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODULE = 'bazel_dep(name = "rules_python", version = "{version}")\n'
_TIMEOUT_S = 300


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files of the page."""
    directory = tmp_path / "project"
    projects("own_kinds.md")["The example"].write(directory)
    return directory


def _rules_python() -> str:
    found = re.search(r'name = "rules_python", version = "([\d.]+)"', (ROOT / "MODULE.bazel").read_text("utf-8"))
    assert found
    return found.group(1)


def _pytest(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the project's tests where its package is installed: with the entry points that pip would write."""
    installed = project.parent / "installed" / "notes_kind-1.0.dist-info"
    installed.mkdir(parents=True, exist_ok=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: notes-kind\nVersion: 1.0\n", encoding="utf-8")
    points = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in found.items())
        for group, found in points.items()
    ]
    (installed / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    path = os.pathsep.join([str(ROOT), str(project), str(installed.parent)])
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "realservices.fixtures.plugin", "-p", "no:cacheprovider", "-rs", *arguments],
        cwd=project, env=environment | {"PYTHONPATH": path, "XDG_CACHE_HOME": str(project.parent / "cache")},
        capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
    )  # fmt: skip


@pytest.fixture
def workspace(project: Path) -> Iterator[Workspace]:
    """The project as a workspace of Bazel."""
    workspace = Workspace(project)
    workspace.module(_MODULE.format(version=_rules_python()))
    yield workspace
    workspace.end()


def test_with_bazel(project: Path, workspace: Workspace) -> None:
    done = workspace.bazel("test", "//:notes_test", "--test_output=all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"4 passed", done.stdout), done.stdout
    # Its module of the launcher's side is asked, too: a configuration that is none fails the test.
    rule = project / "notes_kind" / "notes_service.bzl"
    rule.write_text(rule.read_text("utf-8").replace('"template": ctx', '"tmplate": ctx'), encoding="utf-8")
    done = workspace.bazel("test", "//:notes_test", "--test_output=all")
    assert "//:notes_test: //:notes: config.template is missing: a text" in done.stdout + done.stderr


def test_with_plain_pytest(project: Path) -> None:
    done = _pytest(project, "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_a_kind_that_nobody_installed(project: Path) -> None:
    text = (project / "pyproject.toml").read_text("utf-8")
    (project / "pyproject.toml").write_text(text.replace('notes = "notes_kind"', ""), encoding="utf-8")
    done = _pytest(project)
    assert done.returncode != 0
    assert "service 'notes': kind = 'notes'; it is one of clickhouse, executable" in done.stdout + done.stderr, (
        done.stdout + done.stderr
    )
