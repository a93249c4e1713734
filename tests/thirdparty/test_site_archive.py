"""Distributions in archives: which ones are packed, what is in them, and that Python imports it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from site_archive import can_be_packed, pack

_SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A distribution of sources, compiled ones and an extension module; that is `_json` of the interpreter."""
    package = tmp_path / "demo" / "demo"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("import demo.inner\n")
    (package / "inner" / "__init__.py").write_text("from demo.inner import leaf\n")
    (package / "inner" / "leaf.py").write_text('"""Leaf."""\nVALUE = 1\n')
    (package / "inner" / "leaf.pyi").write_text("VALUE: int\n")
    (package / "py.typed").touch()
    information = tmp_path / "demo" / "demo-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    compiling = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(package)]
    subprocess.run([sys.executable, *compiling], check=True)
    return tmp_path / "demo"


def _run(archive: Path, program: str) -> str:
    command = [sys.executable, "-I", "-B", "-c", f"import sys; sys.path.insert(0, {str(archive)!r}); {program}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_modules_and_metadata_are_found_in_the_archive(installed: Path) -> None:
    archive = installed.with_suffix(".zip")
    assert pack(str(installed), str(archive))
    assert list(installed.rglob("*")) == []
    program = (
        "import demo.inner.leaf as leaf, importlib.metadata as m; print(leaf.VALUE, leaf.__file__, m.version('demo'))"
    )
    assert _run(archive, program) == f"1 {archive}/demo/inner/leaf.pyc 1.0\n"


def test_the_archive_is_the_same_each_time(installed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "again" / "demo"
    shutil.copytree(installed, copy)
    archives = [installed.with_suffix(".zip"), copy.with_suffix(".zip")]
    for directory, archive in zip((installed, copy), archives, strict=True):
        assert pack(str(directory), str(archive))
    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_an_extension_module_stays_beside_the_archive_and_comes_before_a_module_of_its_name(installed: Path) -> None:
    import _json  # noqa: PLC0415 - where it is an extension module

    origin = getattr(_json, "__file__", None)
    if not origin:
        pytest.skip("this interpreter has _json built in")
    compiled = installed / "demo" / ("_json" + _SUFFIX)
    compiled.write_bytes(Path(origin).read_bytes())
    (installed / "demo" / "_json.py").write_text("raise ImportError('the slow one')\n")
    archive = installed.with_suffix(".zip")
    assert pack(str(installed), str(archive))
    assert [path for path in installed.rglob("*") if path.is_file()] == [compiled]
    program = "import demo._json as j, demo; print(j.__file__, j.__name__, demo._json is j, j.scanstring('a\"', 0))"
    assert _run(archive, program) == f"{compiled} demo._json True ('a', 2)\n"
    with zipfile.ZipFile(archive) as file:
        assert not [name for name in file.namelist() if name.endswith("_json.pyc")]


@pytest.mark.parametrize(
    "path",
    [
        "certifi/cacert.pem",
        "demo/libdemo.so",
        "demo.libs/libssl-1.cpython-311-x86_64-linux-gnu.so",
        "demo/__init__.cpython-311-x86_64-linux-gnu.so",
        "demo.pth",
    ],
)
def test_what_is_opened_by_its_path_keeps_a_distribution_a_directory(installed: Path, path: str) -> None:
    assert can_be_packed(["demo/__init__.py"])
    assert not can_be_packed(["demo/__init__.py", path])
    (installed / path).parent.mkdir(exist_ok=True)
    (installed / path).touch()
    before = sorted(installed.rglob("*"))
    assert not pack(str(installed), str(installed.with_suffix(".zip")))
    assert sorted(installed.rglob("*")) == before
    assert not installed.with_suffix(".zip").exists()
