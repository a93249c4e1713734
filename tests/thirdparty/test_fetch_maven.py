"""Fetching by Maven, on a mvn that is a script: what is kept of an archive, and what is said where there is none."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fetch_maven import main, strip
from pip_wheels import FetchError

# Copies the archive to where `dependency:copy` would put it.
_MVN = """#!/bin/sh
for word; do case $word in -DoutputDirectory=*) mkdir -p "${word#*=}"; cp ARCHIVE "${word#*=}/some-1.2.jar";; esac; done
"""


@pytest.fixture
def request_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the rule asks for."""
    archive = tmp_path / "archive"
    with zipfile.ZipFile(archive, "w") as jar:
        member = zipfile.ZipInfo("inner/bin/cat")
        member.external_attr = 0o755 << 16
        jar.writestr(member, Path(str(shutil.which("cat"))).read_bytes())
        jar.writestr("inner/share/a", "a")
        jar.writestr("inner/share/b", "b")
    mvn = tmp_path / "mvn"
    mvn.write_text(_MVN.replace("ARCHIVE", str(archive)))
    mvn.chmod(0o755)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return {
        "keep": ["bin/*", "share/a"],
        "mvn": str(mvn),
        "package": "org.example:some",
        "remedies": "Do this.",
        "root": "inner",
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "strip": ["bin/cat"],
        "version": "1.2",
    }


def _fetch(request: dict[str, Any]) -> None:
    Path("request.json").write_text(json.dumps(request))
    main("request.json")


def test_what_is_wanted_is_kept_and_runs(request_of: dict[str, Any]) -> None:
    _fetch(request_of)
    assert sorted(str(path) for path in Path().rglob("*") if path.is_file()) == ["bin/cat", "request.json", "share/a"]
    done = subprocess.run([str(Path("bin/cat").absolute()), "share/a"], capture_output=True, text=True, check=True)
    assert done.stdout == "a"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mvn": ""}, "org.example:some:1.2 comes by Maven, and there is no mvn on PATH.\nDo this."),
        ({"mvn": "/bin/false"}, r"Maven cannot fetch org.example:some:1.2 \(exit code 1\):\n\nDo this."),
        (
            {"sha256": "0" * 64},
            f"some-1.2.jar has the SHA-256 [0-9a-f]{{64}}, and {'0' * 64} is pinned: Maven's repository",
        ),
        ({"keep": ["nosuch"]}, r"some-1.2.jar has no file like \['nosuch'\] below 'inner'"),
    ],
)
def test_what_goes_wrong_is_told(request_of: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    with pytest.raises(FetchError, match=words):
        _fetch(request_of | changes)
    assert not Path("downloads").exists()


def test_only_a_program_is_stripped(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no program, but long enough to have a header, which is sixty-four bytes")
    with pytest.raises(FetchError, match="is no ELF file of 64 bits, and cannot be stripped"):
        strip(str(text))


def test_sections_for_debuggers_are_cut_off(tmp_path: Path) -> None:
    program = tmp_path / "python"
    shutil.copy(Path(sys.executable).resolve(), program)
    with program.open("ab") as file:
        file.write(b"x" * 100_000)
    before = program.stat().st_size
    strip(str(program))
    assert program.stat().st_size <= before - 100_000
    assert (
        subprocess.run(
            [program, "-S", "-c", "print(5)"],
            capture_output=True,
            check=True,
            env={"PYTHONHOME": sys.base_prefix, "LD_LIBRARY_PATH": f"{sys.base_prefix}/lib"},
        ).stdout
        == b"5\n"
    )
