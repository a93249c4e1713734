"""Environments of locked packages: one that another process makes is waited for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from docs_build import environments
from docs_build.environments import environment
from realservices.system.locks import FileLock

_ASK = "import sys; from docs_build import environments; environments.ROOT = environments.Path(sys.argv[1]); print(environments.locked_python('few'))"


def test_an_environment_that_another_process_makes_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "third_party" / "few" / "requirements.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    monkeypatch.setenv("REALSERVICES_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    home = environment("few")
    home.mkdir(parents=True)
    with FileLock(f"{home}.lock"):
        asks = subprocess.Popen([sys.executable, "-c", _ASK, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            asks.wait(timeout=1)
        (home / "ready").touch()
    assert asks.communicate(timeout=60)[0] == f"{home}/bin/python\n"
    assert [path.name for path in home.iterdir()] == ["ready"]
