"""What Bazel 8 and 9 do otherwise, by the flags with which Bazel 7 does the same, and toolchains of the machine's Python."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.scratch import HOST, HOST_CPU, ROOT, Index, Workspace

ASYNCPG = "@rules_realservices//third_party/python:asyncpg"
NOT_WATCHED = "--incompatible_no_implicit_watch_label"

_TOOLCHAIN_BUILD = """
load(":runtime.bzl", "runtime")
runtime(name = "runtime", interpreter = "runtime_env_toolchain_interpreter.sh")
toolchain(name = "python", toolchain = ":runtime", toolchain_type = "@bazel_tools//tools/python:toolchain_type")
"""

# As rules_python's runtime_env_toolchains: the version is that of a flag.
_TOOLCHAIN_BZL = """
def _runtime_impl(ctx):
    return platform_common.ToolchainInfo(
        py2_runtime = None,
        py3_runtime = struct(
            files = depset(),
            interpreter = ctx.file.interpreter,
            interpreter_path = None,
            interpreter_version_info = struct(major = 3, minor = 12),
        ),
    )

runtime = rule(_runtime_impl, attrs = {"interpreter": attr.label(allow_single_file = True)})
"""


def _distributions(workspace: Workspace, index: Index) -> list[str]:
    libraries = workspace.output_of(
        "query", "kind(py_library, @realservices_python_3_12//...)", NOT_WATCHED, *index.options
    )
    return [line.split(":")[1] for line in libraries.split()]


def test_a_changed_lock_is_noticed(workspace: Workspace, index: Index) -> None:
    workspace.module(
        'realservices.python(lock = "//:changing.lock")\nuse_repo(realservices, "realservices_python_3_12")'
    )
    for name in ("first", "other"):
        sha256 = index.add(name, "1.0", {f"{name}.py": ""})
        workspace.write("changing.lock", f"{name}==1.0 --hash=sha256:{sha256}\n")
        assert _distributions(workspace, index) == [name]


def test_a_changed_fetch_script_is_noticed(workspace: Workspace, index: Index, tmp_path: Path) -> None:
    copy = tmp_path / "ruleset"
    for part in ("rules", "third_party"):
        shutil.copytree(ROOT / part, copy / part)
    shutil.copy(ROOT / "MODULE.bazel", copy)
    workspace.write("changing.lock", f"first==1.0 --hash=sha256:{index.add('first', '1.0', {'first.py': ''})}\n")
    workspace.module(
        'realservices.python(lock = "//:changing.lock")\nuse_repo(realservices, "realservices_python_3_12")'
    )
    module = workspace.directory / "MODULE.bazel"
    module.write_text(module.read_text(encoding="utf-8").replace(str(ROOT), str(copy)), encoding="utf-8")
    assert _distributions(workspace, index) == ["first"]
    with (copy / "third_party" / "fetch" / "fetch_site.py").open("a") as script:
        script.write("sys.exit('the changed script ran')\n")
    message = workspace.error_of("query", "@realservices_python_3_12//...", NOT_WATCHED, *index.options)
    assert "the changed script ran" in message


def _compiled_for(workspace: Workspace, index: Index, version: str) -> None:
    tag = "cp" + version.replace(".", "")
    sha256 = index.add("asyncpg", "1.0", {"asyncpg.py": ""}, tag=f"{tag}-{tag}-manylinux_2_17_{HOST_CPU}")
    workspace.write("compiled.lock", f"asyncpg==1.0 --hash=sha256:{sha256}\n")
    workspace.write("machine/BUILD.bazel", _TOOLCHAIN_BUILD)
    workspace.write("machine/runtime.bzl", _TOOLCHAIN_BZL)
    workspace.write("machine/runtime_env_toolchain_interpreter.sh", "#!/bin/sh\n").chmod(0o755)


def test_the_flag_of_rules_python_is_no_version_of_the_machines_python(workspace: Workspace, index: Index) -> None:
    _compiled_for(workspace, index, "3.11")
    workspace.module(
        'realservices.python(lock = "//:compiled.lock", version = "3.11")\nregister_toolchains("//machine:python")'
    )
    done = workspace.bazel("build", "--nobuild", ASYNCPG, *index.options)
    assert done.returncode == 0, done.stderr


def test_packages_are_the_machines_where_its_python_runs_the_tests(workspace: Workspace, index: Index) -> None:
    workspace.write("pure.lock", f"asyncpg==1.0 --hash=sha256:{index.add('asyncpg', '1.0', {'asyncpg.py': ''})}\n")
    _compiled_for(workspace, index, "3.11")
    workspace.module(
        'bazel_dep(name = "rules_python", version = "1.7.0")\n'
        'realservices.python(lock = "//:pure.lock")\nregister_toolchains("//machine:python")'
    )
    version = "--@rules_python//python/config_settings:python_version=3.11.1"
    labels = workspace.output_of("cquery", f"filter(site/, deps({ASYNCPG}))", "--output=label", version, *index.options)
    assert "realservices_python//:" in labels
    assert "realservices_python_3_11" not in labels


@pytest.mark.parametrize("target", ["@rules_realservices//third_party/redis:server", "@realservices_python_3_12//..."])
def test_the_named_interpreter_fetches_everything(
    workspace: Workspace, index: Index, tmp_path: Path, target: str
) -> None:
    workspace.write("changing.lock", f"first==1.0 --hash=sha256:{index.add('first', '1.0', {'first.py': ''})}\n")
    workspace.write("BUILD.bazel", 'exports_files(["python"])')
    workspace.write("python", "#!/bin/sh\necho this is no python >&2\nexit 7\n").chmod(0o755)
    workspace.module(
        'realservices.python(interpreter = "//:python", lock = "//:changing.lock")\n'
        'use_repo(realservices, "realservices_python_3_12")'
    )
    # Nothing is fetched twice with the same attributes: an entry of PATH that is this test's.
    message = workspace.error_of("build", target, f"--repo_env=PATH=/usr/bin:/bin:{tmp_path}", *index.options)
    name = f"realservices_redis_{HOST}" if "redis" in target else "realservices_python_3_12"
    assert f"@{name}: {workspace.directory}/python does not run (exit code 7):\nthis is no python" in message
