"""Tests in Go, JavaScript, Java and shell behind `real_service_test`: the clients as docs/other_languages.md has them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.terminal import opened_terminal
from tests.scratch import ROOT, Workspace

_PAGE = (ROOT / "docs" / "other_languages.md").read_text("utf-8")
_BUILD = """
load("@rules_realservices//rules:defs.bzl", "postgres_service", "real_service_test", "redis_service")

postgres_service(name = "db", migrations = ["1.sql"])
redis_service(name = "cache")
[
    real_service_test(
        name = name,
        test = name + ".run",
        checkout = True,
        data = glob(["*.bin", "*.js", "*.java"]),
        on_path = ["psql", "redis-cli"],
        services = [":db", ":cache"],
        shard_count = shard_count,
        test_runner = test_runner,
    )
    for name, test_runner, shard_count in [
        ("go", "go", 2),
        ("java", "", 1),
        ("node", "node", 1),
        ("shell", "", 1),
    ]
]
real_service_test(name = "debugged", srcs = ["debugged_test.py"], services = [":cache"])
"""
_GO = """
package users

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

%s

func ask(t *testing.T, url string, statement string) string {
	said, err := exec.Command("psql", "-XAtqc", statement, url).CombinedOutput()
	if err != nil {
		t.Fatal(err, string(said))
	}
	return strings.TrimSpace(string(said))
}

func signUp(t *testing.T) {
	t.Parallel()
	url := checkout(t, "db")
	ask(t, url, "INSERT INTO users VALUES ('ada')")
	if count := ask(t, url, "SELECT count(*) FROM users"); count != "1" {
		t.Fatal("users:", count)
	}
}

func TestOne(t *testing.T)   { signUp(t) }
func TestTwo(t *testing.T)   { signUp(t) }
func TestThree(t *testing.T) { signUp(t) }
"""
_NODE = """
const net = require("node:net");
const readline = require("node:readline");
const { once } = require("node:events");
const { execFileSync } = require("node:child_process");
const assert = require("node:assert");
const test = require("node:test");

%s

for (const name of ["one", "two"]) {
  test(name, async (t) => {
    const url = await checkout(t, "db");
    execFileSync("psql", ["-Xqc", "INSERT INTO users VALUES ('ada')", url]);
    assert.equal(execFileSync("psql", ["-XAtc", "SELECT count(*) FROM users", url]).toString(), "1\\n");
  });
}
"""
_JAVA = """
import java.io.*;
import java.net.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.util.regex.*;
import static java.nio.charset.StandardCharsets.UTF_8;

public class Users {
%s
    static String ask(String url, String statement) throws Exception {
        Matcher parts = Pattern.compile("jdbc:(.*)\\\\?user=(.*)&password=(.*)").matcher(url);
        if (!parts.matches()) throw new IOException(url);
        ProcessBuilder psql = new ProcessBuilder("psql", "-XAtqc", statement, parts.group(1));
        psql.environment().put("PGUSER", parts.group(2));
        psql.environment().put("PGPASSWORD", parts.group(3));
        Process process = psql.redirectErrorStream(true).start();
        return new String(process.getInputStream().readAllBytes(), UTF_8).trim();
    }

    public static void main(String[] arguments) throws Exception {
        for (int test = 0; test < 3; test++) {
            try (SocketChannel control = SocketChannel.open(StandardProtocolFamily.UNIX)) {
                String url = checkout(control, "db");
                ask(url, "INSERT INTO users VALUES ('ada')");
                String count = ask(url, "SELECT count(*) FROM users");
                if (!count.equals("1")) throw new IllegalStateException(count);
            }
        }
    }
}
"""
_SHELL = """#!/bin/bash
set -e
%s
realservices-checkout db -- bash -ec "$(declare -f test_signup); test_signup"
realservices-checkout cache -- sh -ec 'redis-cli SET mine 1; redis-cli DBSIZE' | tr '\\n' ' ' | grep -qx 'OK 1 '
realservices-checkout cache -- redis-cli DBSIZE | grep -qx 0
"""
_RUN = "#!/bin/sh\nexec %s\n"
_DEBUGGED = 'def test_debugged(isolated_redis_sync):\n    isolated_redis_sync.set("x", 41)\n    breakpoint()\n'


def _code(language: str) -> str:
    """Return the page's first block in a language."""
    found = re.search(rf"```{language}\n(.*?)```", _PAGE, re.DOTALL)
    assert found
    return found[1]


def _needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"this machine has no {', '.join(missing)}")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with a test in each language, whose toolchain is this machine's."""
    workspace = Workspace(tmp_path_factory.mktemp("languages"))
    workspace.module("")
    workspace.write("BUILD.bazel", _BUILD)
    workspace.write("1.sql", "CREATE TABLE users (email text PRIMARY KEY);\n")
    workspace.write("users.test.js", _NODE % _code("js"))
    workspace.write("Users.java", _JAVA % _code("java"))
    workspace.write("debugged_test.py", _DEBUGGED)
    for name, command in {
        "go": './go.bin "$@"',
        "node": 'node --test "$@" users.test.js',
        "java": "java Users.java",
    }.items():
        workspace.write(f"{name}.run", _RUN % command).chmod(0o755)
    workspace.write("shell.run", _SHELL % _code("sh")).chmod(0o755)
    yield workspace
    workspace.end()


def _test(workspace: Workspace, *arguments: str) -> str:
    done = workspace.bazel("test", *arguments, "--test_output=all", "--cache_test_results=no")
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


def _run(workspace: Workspace, name: str, **env: str) -> str:
    """Run a built test by itself, where this machine's own programs are: Bazel may see others, and another Python."""
    workspace.output_of("build", f"//:{name}")
    program = workspace.directory / "bazel-bin" / name
    runfiles = Path(f"{program}.runfiles")
    manifest = json.loads(Path(f"{program}.realservices.json").read_text("utf-8"))
    manifest["test"]["checkout_paths"] = [os.path.relpath(path, runfiles) for path in filter(None, sys.path)]
    path = workspace.write(f"{name}.json", json.dumps(manifest))
    launch = "from realservices.launcher.main import main; sys.exit(main(sys.argv[1:]))"
    command = [
        sys.executable,
        "-ISBc",
        f"import sys; sys.path.insert(0, sys.argv.pop(1)); {launch}",
        str(ROOT),
        str(path),
    ]
    variables = {**os.environ, "RUNFILES_DIR": str(runfiles), **env}
    done = subprocess.run(command, cwd=runfiles / "_main", env=variables, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


@_needs("go")
def test_go(workspace: Workspace) -> None:
    sources = workspace.directory / "sources"
    workspace.write("sources/go.mod", "module users\n\ngo 1.20\n")
    workspace.write("sources/users_test.go", _GO % _code("go"))
    subprocess.run(["go", "test", "-c", "-o", "../go.bin", "."], cwd=sources, check=True)
    output = _test(workspace, "//:go", "--test_arg=-test.v")
    assert sorted(re.findall(r"--- PASS: (\w+)", output)) == ["TestOne", "TestThree", "TestTwo"]
    output = _test(workspace, "//:go", "--test_arg=-test.v", "--test_filter=TestT")
    assert sorted(re.findall(r"--- PASS: (\w+)", output)) == ["TestThree", "TestTwo"]
    assert "selects none of the 3 tests" in _test(workspace, "//:go", "--test_filter=TestTypo")


@_needs("node")
def test_node(workspace: Workspace) -> None:
    assert "# pass 2" in _run(workspace, "node")
    assert "# pass 1" in _run(workspace, "node", TESTBRIDGE_TEST_ONLY="two")


@_needs("java")
def test_java(workspace: Workspace) -> None:
    _run(workspace, "java")


def test_shell(workspace: Workspace) -> None:
    _test(workspace, "//:shell")


def test_a_breakpoint_under_bazel_run(workspace: Workspace) -> None:
    with opened_terminal(
        workspace.command("run", "//:debugged"), dict(os.environ), str(workspace.directory)
    ) as terminal:
        terminal.await_output(r"\(Pdb\) ")
        terminal.press(b"p isolated_redis_sync.incr('x')\n")
        terminal.await_output(r"^42$")
        terminal.press(b"c\n")
        terminal.await_output("1 passed")
        assert terminal.wait() == 0
