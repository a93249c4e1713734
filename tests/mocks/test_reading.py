"""What cannot be read is told, with its cause; what Python can read is read."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from realservices.mocks.convert.project_modules import Project
from realservices.mocks.scan import Project as Files
from realservices.mocks.scan import reading as reading_module
from realservices.mocks.scan import scan_tree
from realservices.mocks.scan_model import Suite

_MOCK = "from unittest.mock import Mock\nredis = Mock()\n"


def _scan(root: Path, content: bytes) -> Suite:
    (root / "test_it.py").write_bytes(content)
    return scan_tree(root)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + _MOCK.encode(),
        b"# -*- coding: latin-1 -*-\n# \xe4\n" + _MOCK.encode(),
        b"# coding: cp1251\n" + _MOCK.encode() + "name = 'Ада'\n".encode("cp1251"),
        _MOCK.replace("\n", "\r\n").encode(),
        _MOCK.replace("\n", "\r").encode(),
        _MOCK.encode() + b"\x0c\nvalue = '\\d'\n",
    ],
)
def test_encodings_and_line_ends_are_those_of_python(tmp_path: Path, content: bytes) -> None:
    (file,) = _scan(tmp_path, content).files
    assert file.error == ""
    assert [use.names for use in file.uses] == [("redis",)]


def test_columns_are_characters(tmp_path: Path) -> None:
    (file,) = _scan(tmp_path, "from unittest.mock import Mock\nä, b = 'ö', Mock()\n".encode()).files
    assert [use.column for use in file.uses] == [12]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"def test_it(:\n", "line 1: invalid syntax"),
        (b"x = 1\nprint 'two'\n", "line 2: Missing parentheses"),
        (b"x = '\xff'\n", "byte 5 is not utf-8; save it as UTF-8"),
        (b"# coding: no-such\n", "its encoding is unknown: unknown encoding: no-such"),
        (_MOCK.encode("utf-16"), "is it UTF-16"),
        (b"x = 1\n\0", "it has null bytes, the first at 6"),
        (b"x = " + b"(" * 3000 + b")" * 3000, "too many nested parentheses"),
        (b"x = " + b"-" * 100_000 + b"1", "nested too deeply"),
        (b"x = " + b"1+" * 20_000 + b"1\n", "nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_listed(tmp_path: Path, content: bytes, why: str) -> None:
    suite = _scan(tmp_path, content)
    assert [file.path for file in suite.unreadable] == [Path("test_it.py")]
    assert why in suite.unreadable[0].error


def test_a_huge_file_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "SIZE_LIMIT_BYTES", 10)
    assert "up to 10 bytes" in _scan(tmp_path, b"x = 1\n" * 10).unreadable[0].error


def test_links_that_lead_nowhere_are_listed_and_loops_end(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(_MOCK)
    (tmp_path / "tests" / "again").symlink_to(tmp_path)
    (tmp_path / "tests" / "test_gone.py").symlink_to("nowhere.py")
    (tmp_path / "tests" / "test_self.py").symlink_to("test_self.py")
    (tmp_path / "tests" / "self").symlink_to("self")
    suite = scan_tree(tmp_path)
    assert [file.path.as_posix() for file in suite.unreadable] == ["tests/test_gone.py", "tests/test_self.py"]
    assert [file.path.as_posix() for file in suite.files if file.uses] == ["tests/test_a.py"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_listed(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(_MOCK)
    (tmp_path / "test_it.py").chmod(0)
    assert "it cannot be read: Permission denied" in scan_tree(tmp_path).unreadable[0].error


def test_files_that_use_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("from test_b import *\nfrom test_b import b\nb()\n")
    (tmp_path / "tests" / "test_b.py").write_text("from test_a import *\nfrom test_a import b as b\nb()\n")
    assert not scan_tree(tmp_path).unreadable


def test_every_kind_of_statement_is_walked_through(tmp_path: Path) -> None:
    """Also those whose parts are no expressions: a pattern holds a plain True."""
    text = """
from unittest.mock import Mock
match Mock():
    case True | None | {"a": 1, **rest} | [1, *others] if (found := Mock()):
        del rest
async def test_it[T](*, a=Mock()):
    global b
    b = [Mock() async for _ in a]
    try:
        raise ValueError from None
    except* ValueError:
        yield
"""
    (file,) = _scan(tmp_path, text.replace("[T]", "").encode()).files
    assert file.error == ""
    assert [use.line for use in file.uses] == [3, 4, 6, 8]


def test_names_are_followed_as_the_scan_follows_them(tmp_path: Path) -> None:
    files = {"app/__init__.py": "from app.api import *\n", "app/api.py": "def load():\n    pass\n\n\nLIMIT = 3\n"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    project = Project(Files(tmp_path), Path("test_it.py"), {})
    found = project.resolve("app.load")
    assert found is not None
    assert found.module.name == "app.api"
    limit = project.constant("app.LIMIT")
    assert limit is not None
    assert ast.unparse(limit) == "3"
    assert project.resolve("app.nothing") is None
