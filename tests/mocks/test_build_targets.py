"""`migrate build`: BUILD files before and after."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from realservices.cli.main import main
from realservices.mocks.targets.build_files import BuildFileError, target_of, with_services
from realservices.mocks.targets.changes import changes_for
from realservices.mocks.targets.needed_kinds import kinds_of

_LOAD = "@rules_realservices//rules:defs.bzl"
_BEFORE = '''"""The package."""

load("@rules_python//python:py_test.bzl", "py_test")

# Users
py_test(
    name = "users",
    srcs = ["tests/test_users.py"],  # with a comment
    deps = [":app"],
)

py_test(name = "cache", srcs = glob(["tests/**/test_cache*.py"]))
'''
_AFTER = '''"""The package."""

load("@rules_realservices//rules:defs.bzl", "real_service_test")

# Users
real_service_test(
    name = "users",
    srcs = ["tests/test_users.py"],  # with a comment
    services = [
        "//:cache",
        "//infra:main",
    ],
    deps = [":app"],
)

real_service_test(name = "cache", srcs = glob(["tests/**/test_cache*.py"]), services = ["//:cache"])
'''


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))  # No buildozer.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "MODULE.bazel").write_text('bazel_dep(name = "rules_realservices", version = "1")\n')
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "BUILD").write_text('postgres_service(name = "main")\npostgres_service(name = "other")\n')
    tests = tmp_path / "pkg" / "tests"
    tests.mkdir(parents=True)
    (tmp_path / "pkg" / "BUILD.bazel").write_text(_BEFORE)
    (tests / "test_users.py").write_text("def test_a(isolated_session, isolated_redis_sync): pass\n")
    (tests / "test_cache.py").write_text("import pytest\n@pytest.mark.requires_redis\ndef test_b(): pass\n")
    (tests / "test_plain.py").write_text("def test_c(): pass\n")
    return tmp_path


def test_targets_get_their_services(workspace: Path) -> None:
    tests = sorted((workspace / "pkg" / "tests").glob("*.py"))
    changes = changes_for(tests, workspace)
    file = workspace / "pkg" / "BUILD.bazel"
    assert changes.texts == {file: (_BEFORE, _AFTER)}
    assert (changes.undeclared, changes.problems) == ({"redis"}, [])
    file.write_text(_AFTER)
    assert changes_for(tests, workspace).texts == {}


def test_the_command_shows_then_writes(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = workspace / "pkg" / "BUILD.bazel"
    assert main(["migrate", "build", "pkg"]) == 0
    text = capsys.readouterr().out
    assert "+    services = [" in text
    assert 'load("@rules_realservices//rules:defs.bzl", "redis_service")\n\nredis_service(name = "cache")' in text
    assert file.read_text() == _BEFORE
    assert main(["migrate", "build", "pkg", "--write", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == [str(file)]
    assert file.read_text() == _AFTER


def test_a_source_without_target_gets_one(workspace: Path) -> None:
    new = workspace / "pkg" / "tests" / "test_new.py"
    new.write_text("def test_d(isolated_database): pass\n")
    ((_, text),) = changes_for([new], workspace).texts.values()
    assert text == (
        _BEFORE.replace(
            '"py_test")\n', '"py_test")\nload("@rules_realservices//rules:defs.bzl", "real_service_test")\n'
        ).rstrip()
        + '\n\nreal_service_test(\n    name = "tests_test_new",\n    srcs = ["tests/test_new.py"],\n    services = ["//infra:main"],\n)\n'
    )


def test_services_that_are_no_list_are_told() -> None:
    text = 'real_service_test(name = "a", srcs = ["test_a.py"], services = select({}))\n'
    target = target_of(text, "test_a.py", "BUILD")
    assert target is not None
    with pytest.raises(BuildFileError, match="BUILD: the services of a are no list; add :db by hand"):
        with_services(text, target, [":db"], _LOAD, "BUILD")


def test_services_are_added_to_those_that_are_there() -> None:
    text = 'real_service_test(\n    name = "a",\n    srcs = ["test_a.py"],\n    services = [":db"],\n)\n'
    target = target_of(text, "test_a.py", "BUILD")
    assert target is not None
    after = with_services(text, target, [":cache", ":db"], _LOAD, "BUILD")
    assert after == text.replace('[":db"]', '[\n        ":db",\n        ":cache",\n    ]')


def test_a_file_that_is_no_build_file_is_told(workspace: Path) -> None:
    (workspace / "pkg" / "BUILD.bazel").write_text("broken(\n")
    changes = changes_for([workspace / "pkg" / "tests" / "test_cache.py"], workspace)
    assert any("pkg/BUILD.bazel: it cannot be read" in problem for problem in changes.problems)


def test_without_bazel_a_declaration_is_proposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    (tmp_path / "test_a.py").write_text("def test_a(isolated_clickhouse): pass\n")
    assert main(["migrate", "build", "."]) == 0
    assert '[tool.realservices.services.analytics]\nkind = "clickhouse"' in capsys.readouterr().out


def test_buildozer_changes_what_it_is_told_to(workspace: Path) -> None:
    tool = workspace / "buildozer"
    tool.write_text('#!/bin/sh\necho "$@" >&2\nexit 9\n')
    tool.chmod(0o755)
    changes = changes_for([workspace / "pkg" / "tests" / "test_cache.py"], workspace)
    (problem,) = changes.problems
    assert "buildozer ['add services //:cache'] -:cache: exit code 9: add services //:cache -:cache" in problem


def test_kinds(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("broken(:\n")
    assert kinds_of(tmp_path / "test_a.py") == set()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            'py_test(\n    name = "a",\n    srcs = ["test_a.py"],\n    main = "test_a.py",\n    deps = [":b"],\n)\n',
            '(\n    name = "a",\n    srcs = ["test_a.py"],\n    services = [":db"],\n    deps = [":b"],\n)\n',
        ),
        (
            'py_test(name = "a", main = "run.py", srcs = ["test_a.py", "run.py"])\n',
            '(name = "a", srcs = ["test_a.py", "run.py"], services = [":db"])\n',
        ),
        (
            'py_test(name = "a", srcs = ["test_a.py"], srcs_version = "PY3", main = "test_a.py")\n',
            '(name = "a", srcs = ["test_a.py"], services = [":db"])\n',
        ),
    ],
)
def test_what_only_a_py_test_can_say_goes(before: str, after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    target = target_of(before, "test_a.py", "BUILD")
    assert target is not None
    changed = with_services(before, target, [":db"], _LOAD, "BUILD")
    assert changed.partition("real_service_test")[2].partition("real_service_test")[2] == after


def test_what_changes_the_run_is_refused(workspace: Path) -> None:
    file = workspace / "pkg" / "BUILD.bazel"
    file.write_text('py_test(name = "a", srcs = ["tests/test_users.py"], python_version = "3.12")\n')
    changes = changes_for([workspace / "pkg" / "tests" / "test_users.py"], workspace)
    (problem,) = changes.problems
    assert "pkg/BUILD.bazel: a has python_version, which real_service_test does not have" in problem
    assert changes.texts == {}


def test_buildozer_removes_what_only_a_py_test_can_say(workspace: Path) -> None:
    tool = workspace / "buildozer"
    tool.write_text('#!/bin/sh\necho "$@" >> "${0%/*}/told"\nexit 3\n')
    tool.chmod(0o755)
    file = workspace / "pkg" / "BUILD.bazel"
    file.write_text('py_test(name = "a", srcs = ["tests/test_users.py"], main = "x.py")\n')
    changes_for([workspace / "pkg" / "tests" / "test_users.py"], workspace)
    assert "remove main set kind real_service_test -:a" in (workspace / "told").read_text()


def test_a_new_target_has_its_conftest_files_and_asks_for_deps(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "pkg" / "tests" / "test_new.py").write_text("def test_d(isolated_database): pass\n")
    for directory in (workspace, workspace / "pkg", workspace / "pkg" / "tests"):
        (directory / "conftest.py").touch()
    assert main(["migrate", "build", "pkg/tests/test_new.py", "--write"]) == 0
    assert "New targets have no deps yet: add what is tested by tests/test_new.py" in capsys.readouterr().out
    srcs = '[\n        "conftest.py",\n        "tests/conftest.py",\n        "tests/test_new.py",\n    ]'
    assert f'name = "tests_test_new",\n    srcs = {srcs},' in (workspace / "pkg" / "BUILD.bazel").read_text()
