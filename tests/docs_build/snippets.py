"""Blocks of code in the documentation, and what is known of the names in them."""

from __future__ import annotations

import ast
import functools
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.scratch import ROOT

_DOCS = ROOT / "docs"
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)
_ATTRIBUTE = re.compile(r'<a id="(\w+)-(\w+)">')
_HEADING = re.compile(r"^## (\w+)$", re.M)
# Of other rulesets and of Bazel, as far as pages show them.
_OTHER_CALLS = frozenset(
    (
        *("alias", "exports_files", "filegroup", "genrule", "glob", "label_flag", "load", "package", "select", "print"),
        *("py_binary", "py_library", "py_test", "go_binary", "go_test", "java_test", "js_test", "rust_test"),
        *("sh_binary", "sh_test", "module", "bazel_dep", "use_extension", "use_repo", "workspace"),
        *("archive_override", "git_override", "local_path_override", "new_local_repository", "local_repository"),
        *("git_repository", "http_archive", "http_file", "py_repositories"),
        *("realservices_repositories", "realservices_dependencies"),
        *("rule", "provider", "depset", "DefaultInfo", "fail"),
    )
)


@dataclass(frozen=True)
class Snippet:
    """One block.

    Attributes:
        page: Its page, from the project's root.
        line: Where it begins.
        language: What it is labelled as.
        text: What stands in it.
    """

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def all_snippets() -> Iterator[Snippet]:
    """Yield the blocks of all pages, those of the README included."""
    for page in (ROOT / "README.md", *sorted(_DOCS.rglob("*.md"))):
        text = page.read_text(encoding="utf-8")
        for block in _BLOCK.finditer(text):
            line = text.count("\n", 0, block.start()) + 1
            yield Snippet(page.relative_to(ROOT).as_posix(), line, block[1], block[2])


def commands(text: str) -> list[str]:
    """Return what is typed in a block of a terminal, without comments; a line that ends with ``\\`` goes on."""
    found: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append(re.sub(r"\s+#.*$", "", line[2:]))
        elif found and found[-1].count("'") % 2:
            found[-1] += f"\n{line}"
    return found


def is_starlark(tree: ast.Module) -> bool:
    """Return whether code is a BUILD or MODULE.bazel file: calls of known functions, and little else."""
    calls = [node.value for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    names = {call.func.id for call in calls if isinstance(call.func, ast.Name)}
    tags = [call for call in calls if _owner(call) == "realservices"]
    return bool(tags) or bool(names & (rules().keys() | _OTHER_CALLS - {"print"}))


def wrong_names(tree: ast.Module) -> list[str]:
    """Return what a BUILD or MODULE.bazel file uses of ours that is not there: rules, attributes, tags."""
    wrong = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name, known = _known_keywords(call)
        if known is None:
            wrong.append(name)
        else:
            wrong += [f"{name}({key.arg} = …)" for key in call.keywords if key.arg and not {key.arg, "*"} & known]
    return wrong


def _known_keywords(call: ast.Call) -> tuple[str, set[str] | None]:
    """Return what is called, and its keywords: ``*`` for any, None if nothing of that name is known."""
    if isinstance(call.func, ast.Name):
        name = call.func.id
        return name, {"*"} if name in _OTHER_CALLS else rules().get(name)
    if isinstance(call.func, ast.Attribute) and _owner(call) == "realservices":
        return f"realservices.{call.func.attr}", tags().get(call.func.attr)
    return "", {"*"}


# What every rule has, as far as pages show it.
_OF_EVERY_RULE = {"name", "tags", "visibility", "testonly", "size", "timeout", "shard_count", "flaky", "local", "args"}


@functools.cache
def rules() -> dict[str, set[str]]:
    """Return the attributes of each rule, macro and function of defs.bzl."""
    page = (_DOCS / "reference" / "rules.md").read_text(encoding="utf-8")
    found = {name: set(_OF_EVERY_RULE) for name in _HEADING.findall(page)}
    for owner, attribute in _ATTRIBUTE.findall(page):
        found[owner].add(attribute)
    for name in ("kafka_service", "llm_service", "nats_service", "s3_service"):
        found[name] |= found["executable_service"]
    return found


@functools.cache
def tags() -> dict[str, set[str]]:
    """Return the attributes of each tag of the module extension."""
    page = (_DOCS / "reference" / "extension.md").read_text(encoding="utf-8")
    shared = {attribute for owner, attribute in _ATTRIBUTE.findall(page) if owner == "replaced"}
    found = {name: set(shared) for name in _HEADING.findall(page)}
    for owner, attribute in _ATTRIBUTE.findall(page):
        found.setdefault(owner, set()).add(attribute)
    return found


@functools.cache
def fixtures() -> set[str]:
    """Return the names of our fixtures."""
    page = (_DOCS / "reference" / "fixtures.md").read_text(encoding="utf-8")
    return set(_HEADING.findall(page))


@functools.cache
def options() -> dict[str, set[str]]:
    """Return the options of each command of the command line, by its words."""
    page = (_DOCS / "reference" / "options.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ([\w ]+)$", page, flags=re.M)[1:]
    return {
        name: set(re.findall(r"(?<![\w-])--?[\w-]+", " ".join(re.findall(r"^- `([^`]+)`", body, re.M))))
        for name, body in zip(sections[::2], sections[1::2], strict=True)
    }


def programs(command: str) -> list[list[str]]:
    """Return the words of each program that a line of a shell runs."""
    words = shlex.shlex(command, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in words:
        if word in ("&&", "|", ";"):
            found.append([])
        else:
            found[-1].append(word)
    return found


@functools.cache
def tool_help(tool: str, *words: str) -> str:
    """Return what a program of tools/, or a command of it, says to ``--help``."""
    command = [str(ROOT / tool.replace("../", "")), *words, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout + done.stderr


@functools.cache
def run_targets() -> set[str]:
    """Return what `bazel run @rules_realservices//tools:NAME` can name."""
    return set(re.findall(r'"(\w+)"', (ROOT / "tools" / "BUILD.bazel").read_text(encoding="utf-8")))


def defines(directory: str, name: str) -> bool:
    """Return whether a BUILD file of ours speaks of a target."""
    build = Path(ROOT, directory, "BUILD.bazel")
    known = build.read_text(encoding="utf-8") if build.is_file() else ""
    versions = build.with_name("versions.bzl")
    known += versions.read_text(encoding="utf-8") if versions.is_file() else ""
    return f'"{name}"' in known


def _owner(call: ast.Call) -> str:
    function = call.func
    return function.value.id if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) else ""
