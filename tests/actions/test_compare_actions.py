"""tools/compare_actions: what it says of two execution logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from realservices.actions.main import main

_OUT = "bazel-out/k8-fastbuild/bin"


def _files(files: dict[str, str]) -> list[dict[str, Any]]:
    return [{"path": path, "digest": {"hash": digest, "sizeBytes": "1"}} for path, digest in files.items()]


def _action(target: str, mnemonic: str, inputs: dict[str, str], outputs: dict[str, str], **more: Any) -> dict[str, Any]:
    return {
        "commandArgs": ["tool", "--flag"],
        "environmentVariables": [{"name": "PATH", "value": "/bin"}],
        "inputs": _files(inputs),
        "listedOutputs": sorted(outputs),
        "actualOutputs": _files(outputs),
        "mnemonic": mnemonic,
        "targetLabel": target,
        "cacheHit": False,
        **more,
    }


def _template(sql: str = "a", archive: str = "1", **more: Any) -> dict[str, Any]:
    outputs = {f"{_OUT}/db.tar": archive}
    return _action("//app:db", "RealservicesPostgresTemplate", {"app/1.sql": sql}, outputs, **more)


def _test(archive: str = "1", log: str = "x") -> dict[str, Any]:
    runfile = f"{_OUT}/app/users_test.runfiles/_main/app/db.tar"
    return _action("//app:users_test", "TestRunner", {runfile: archive}, {"bazel-out/testlogs/test.log": log})


def _compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], first: list[Any], second: list[Any]
) -> tuple[int, list[str]]:
    for name, actions in (("first.json", first), ("second.json", second)):
        # As Bazel does it: indented, with nothing between two objects.
        (tmp_path / name).write_text("".join(json.dumps(action, indent=2) for action in actions), encoding="utf-8")
    code = main([str(tmp_path / "first.json"), str(tmp_path / "second.json")])
    return code, capsys.readouterr().out.splitlines()


def test_equal_logs_are_equal_also_where_a_tests_log_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = _compare(tmp_path, capsys, [_template(), _test()], [_test(log="y"), _template()])
    assert (code, lines) == (0, ["2 actions compared, 0 differ, 0 in one log only"])


def test_the_input_that_differs_is_named_and_what_follows_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = _compare(tmp_path, capsys, [_template(), _test()], [_template("b", "2"), _test("2")])
    assert code == 1
    assert lines == [
        f"//app:db (RealservicesPostgresTemplate): {_OUT}/db.tar",
        "  input app/1.sql: a | b",
        "1 more only because of these:",
        f"  //app:users_test (TestRunner): {_OUT}/app/users_test.runfiles/_main/app/db.tar, "
        "made by //app:db (RealservicesPostgresTemplate)",
        "2 actions compared, 2 differ, 0 in one log only",
    ]


def test_an_action_that_is_not_reproducible_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, lines = _compare(tmp_path, capsys, [_template(), _test()], [_template(archive="2"), _test("2")])
    assert lines[1] == f"  same key, other output {_OUT}/db.tar: 1 | 2"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"commandArgs": ["tool"]}, "word 1 of the command: --flag | (absent)"),
        (
            {"environmentVariables": [{"name": "PATH", "value": "/home/ada/bin"}]},
            "environment variable PATH: /bin | /home/ada/bin",
        ),
        ({"platform": {"properties": [{"name": "os", "value": "x"}]}}, "platform property os: (absent) | x"),
    ],
)
def test_what_else_makes_a_key_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: dict[str, Any], words: str
) -> None:
    _, lines = _compare(tmp_path, capsys, [_template()], [_template(**more)])
    assert lines[1] == f"  {words}"


def test_an_action_of_one_log_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = _compare(tmp_path, capsys, [_template(), _test()], [_template()])
    assert (code, lines[0]) == (1, "//app:users_test (TestRunner): only in the first log")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory"),
        ("(\xb5/\xfd", "is no execution log in JSON (JSONDecodeError"),
        ('{"a": 1}', "is no execution log in JSON (KeyError"),
        ("[]", "is no execution log in JSON (TypeError"),
    ],
)
def test_what_is_no_log_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, words: str
) -> None:
    log = tmp_path / "log.json"
    if content is not None:
        log.write_text(content, encoding="utf-8")
    assert main([str(log), str(log)]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("compare_actions: ")
    assert words in errors
