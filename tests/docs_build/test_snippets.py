"""Each block of code in the documentation is what it says: it parses, and the names of ours in it are there.

Whole projects are run elsewhere: first_test.md and recipes.md by tests/e2e/recipes_test.py, other_languages.md,
migrators.md, ci.md and checkouts by the tests of these names, schema.md and postgres.md by tests/sources, development.md
by tests/plan. Here every block of every page is looked at, without a server.
"""

from __future__ import annotations

import ast
import configparser
import importlib
import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from docs_build.environments import locked_python
from realservices.sources.declarations import read_project
from tests.docs_build.snippets import (
    Snippet,
    all_snippets,
    commands,
    defines,
    fixtures,
    is_starlark,
    options,
    programs,
    run_targets,
    tool_help,
    wrong_names,
)

_SNIPPETS = list(all_snippets())
_TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST
# Of pytest and of plugins that pages show.
_OTHER_FIXTURES = {"self", "request", "tmp_path", "monkeypatch", "capsys", "client", "db", "live_server", "settings"}
_FLAG = re.compile(r"--@rules_realservices//([\w/]+):(\w+)")


def _python(snippet: Snippet, _: Path) -> None:
    tree = compile(snippet.text, str(snippet), "exec", _TOP_LEVEL_AWAIT)
    assert isinstance(tree, ast.Module)
    if is_starlark(tree):
        assert set(wrong_names(tree)) <= _made(snippet.page)
        return
    for node in ast.walk(tree):
        _check_import(node)
    known = fixtures() | _OTHER_FIXTURES | _made(snippet.page)
    for test in _functions(snippet):
        if test.name.startswith("test_") and not test.decorator_list:
            assert {argument.arg for argument in test.args.args} <= known, test.name


def _check_import(node: ast.AST) -> None:
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("realservices"):
        module = importlib.import_module(node.module or "")
        assert [alias.name for alias in node.names if alias.name != "*" and not hasattr(module, alias.name)] == []


def _functions(snippet: Snippet) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in _nodes(snippet) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _nodes(snippet: Snippet) -> list[ast.AST]:
    if snippet.language != "python":
        return []
    return list(ast.walk(compile(snippet.text, str(snippet), "exec", _TOP_LEVEL_AWAIT)))


def _made(page: str) -> set[str]:
    """Return the names of functions and rules that a page defines."""
    snippets = [snippet for snippet in _SNIPPETS if snippet.page == page]
    names = {function.name for snippet in snippets for function in _functions(snippet)}
    stored = [node for snippet in snippets for node in _nodes(snippet) if isinstance(node, ast.Name)]
    return names | {node.id for node in stored if isinstance(node.ctx, ast.Store)}


def _toml(snippet: Snippet, tmp_path: Path) -> None:
    content = tomllib.loads(snippet.text)
    if "realservices" in content.get("tool", {}):
        (tmp_path / "pyproject.toml").write_text(snippet.text, encoding="utf-8")
    elif "services" in content:
        (tmp_path / "realservices.toml").write_text(snippet.text, encoding="utf-8")
    if "realservices.kinds" not in content.get("project", {}).get(
        "entry-points", {}
    ):  # Of a package that is not installed.
        read_project(tmp_path)


def _yaml(snippet: Snippet, _: Path) -> None:
    # Of what builds the site; the checks themselves need no YAML.
    read = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout, default=str)"
    command = [locked_python("docs"), "-c", read]
    done = subprocess.run(command, input=snippet.text, capture_output=True, text=True, check=True)
    for script in re.findall(r'"run": "((?:[^"\\]|\\.)*)"', done.stdout):
        for line in json.loads(f'"{script}"').splitlines():
            _check_command(line)


def _json(snippet: Snippet, _: Path) -> None:
    json.loads(snippet.text)


def _ini(snippet: Snippet, _: Path) -> None:
    configparser.ConfigParser().read_string(snippet.text)


def _console(snippet: Snippet, _: Path) -> None:
    typed = commands(snippet.text)
    assert typed, "no line begins with '$ '"
    for command in typed:
        _check_command(command)


def _check_command(command: str) -> None:
    for words in programs(command):
        if words[:3] in (["python", "-m", "realservices"], ["python3", "-m", "realservices"]):
            _check_options(words[3:])
        elif words[:1] == ["rules-realservices"]:
            _check_options(words[1:])
        elif words and re.fullmatch(r"(\.\./)*tools/\w+", words[0]) and not words[0].endswith("bazelw"):
            own = words[: words.index("--")] if "--" in words else words
            said = tool_help(*[word for word in own[:2] if not word.startswith("-")])
            assert [word for word in own if word.startswith("--") and word.partition("=")[0] not in said] == [], words
        elif words[:2] == ["bazel", "run"] and "@rules_realservices//tools:" in words[2]:
            _check_target(words[2].rpartition(":")[2], words[4:])
        _check_flags(" ".join(words))


def _check_target(name: str, words: list[str]) -> None:
    assert name in run_targets(), name
    if name in options():
        _check_options([name, *words])


def _check_options(words: list[str]) -> None:
    name = " ".join(words[:2]) if " ".join(words[:2]) in options() else words[0]
    assert name in {*options(), "--help", "--version"}, words
    if name in ("test", "exec"):  # All the rest is another program's.
        words = words[: words.index("--")] if "--" in words else words[:1]
    given = [word.partition("=")[0] for word in words if word.startswith("-") and word not in ("--", "--help")]
    assert [word for word in given if word not in options().get(name, ())] == [], words


def _check_flags(text: str) -> None:
    for directory, name in _FLAG.findall(text):
        assert defines(directory, name), f"//{directory}:{name}"


def _bazelrc(snippet: Snippet, _: Path) -> None:
    for line in filter(None, (re.sub(r"#.*", "", line).strip() for line in snippet.text.splitlines())):
        assert re.match(r"(build|test|common|coverage)(:\w+)? --", line), line
    _check_flags(snippet.text)


def _sh(snippet: Snippet, _: Path) -> None:
    subprocess.run(["bash", "-n"], input=snippet.text, text=True, check=True)


def _sql(snippet: Snippet, _: Path) -> None:
    assert re.search(r"^(CREATE|INSERT) .*;$", snippet.text, re.M)


def _diff(snippet: Snippet, _: Path) -> None:
    assert all(line[:1] in ("+", "-", " ", "@", "") for line in snippet.text.splitlines())


def _shown(snippet: Snippet, _: Path) -> None:
    assert snippet.text.strip()


_CHECKS: dict[str, Callable[[Snippet, Path], None]] = {
    "bazelrc": _bazelrc,
    "console": _console,
    "diff": _diff,
    "ini": _ini,
    "json": _json,
    "python": _python,
    "sh": _sh,
    "sql": _sql,
    "toml": _toml,
    "yaml": _yaml,
    # Run where they are told of (see above), or what a program has said.
    "gherkin": _shown,
    "go": _shown,
    "java": _shown,
    "js": _shown,
    "nginx": _shown,
    "text": _shown,
}


@pytest.mark.parametrize("snippet", _SNIPPETS, ids=str)
def test_a_block_is_what_it_says(snippet: Snippet, tmp_path: Path) -> None:
    assert snippet.language in _CHECKS, f"{snippet}: label the block: {', '.join(_CHECKS)}"
    _CHECKS[snippet.language](snippet, tmp_path)


def test_wrong_names_are_found() -> None:
    code = (
        'real_service_test(name = "a", service = [":db"])\nrealservices.postgres(sha = "")\nredis_servce(name = "b")\n'
    )
    tree = ast.parse(code)
    assert is_starlark(tree)
    assert wrong_names(tree) == ["real_service_test(service = …)", "realservices.postgres(sha = …)", "redis_servce"]


@pytest.mark.parametrize(
    "command",
    ["python -m realservices ups", "python -m realservices up --log", "bazel run @rules_realservices//tools:nothing"],
)
def test_wrong_commands_are_found(command: str) -> None:
    with pytest.raises(AssertionError):
        _check_command(command)
