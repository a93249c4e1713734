"""The program that serves a small model: what it says where it cannot. What it serves is tested in tests/services."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def _run(*options: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "realservices.programs.llm_model", *options],
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode != 0
    return ran.stderr


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    error = _run("--runtime", str(tmp_path), "--model", str(tmp_path / "a.gguf"))
    assert f"--model: there is no file {tmp_path}/a.gguf" in error


@pytest.mark.parametrize("content", [None, "import no_such_library", "raise ImportError('libgomp.so.1: cannot open')"])
def test_runtime_that_cannot_be_loaded(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "a.gguf").touch()
    package = tmp_path / "xllamacpp"
    if content is not None:
        package.mkdir()
        (package / "__init__.py").write_text(content, encoding="utf-8")
    error = _run("--runtime", str(package), "--model", str(tmp_path / "a.gguf"))
    assert f"llm_model: cannot load the runtime in {package}: " in error
    assert "Debian: libgomp1, libstdc++6" in error
    assert "llm_service(recording = ...)" in error
