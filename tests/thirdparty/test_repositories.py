"""The repositories as a user's workspace sees them: replacements and errors, with a real Bazel and no network."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.scratch import HOST, HOST_CPU, Index, Workspace

DISTRIBUTION = "@rules_realservices//third_party/postgres:distribution"
CLICKHOUSE = "@rules_realservices//third_party/clickhouse:server"
SERVER = "@rules_realservices//third_party/redis:server"
ASYNCPG = "@rules_realservices//third_party/python:asyncpg"

TOOLCHAIN_BUILD = """
load(":runtime.bzl", "runtime")
runtime(name = "runtime")
toolchain(name = "python", toolchain = ":runtime", toolchain_type = "@bazel_tools//tools/python:toolchain_type")
"""

TOOLCHAIN_BZL = """
def _runtime_impl(ctx):
    return platform_common.ToolchainInfo(
        py2_runtime = None,
        py3_runtime = struct(
            files = depset(),
            interpreter = None,
            interpreter_path = "/usr/bin/python3",
            interpreter_version_info = struct(major = 3, minor = 12),
        ),
    )

runtime = rule(_runtime_impl)
"""


def files_of(workspace: Workspace, target: str, *options: str) -> list[str]:
    """Return the base names of a target's files."""
    return [Path(line).name for line in workspace.output_of("cquery", target, "--output=files", *options).splitlines()]


def demo_wheel_module(sha256: str) -> str:
    return f"""
wheel_binary_repo = use_repo_rule("@rules_realservices//rules/private:wheel_binary_repo.bzl", "wheel_binary_repo")
wheel_binary_repo(
    name = "demo",
    keep = ["*"],
    kind = "demo",
    output = "data",
    package = "demo",
    platform = "{HOST}",
    programs = ["bin/server"],
    sha256 = "{sha256}",
    target = "server",
    version = "1.0",
)
"""


def installation(directory: Path, name: str = "pg") -> Path:
    """Make what looks like an installed PostgreSQL."""
    root = directory / name
    (root / "bin").mkdir(parents=True)
    for program in ("initdb", "postgres"):
        (root / "bin" / program).write_text("#!/bin/sh\n")
        (root / "bin" / program).chmod(0o755)
    return root


def test_wheel_of_another_hash_is_refused(workspace: Workspace, index: Index) -> None:
    index.add("demo", "1.0", {"data/bin/server*": "run"})
    workspace.module(demo_wheel_module("0" * 64))
    message = workspace.error_of("build", "@demo//:server", *index.options)
    assert f"@demo: could not fetch demo==1.0 for {HOST}" in message
    assert "the index served another file than the pinned one, and it was refused" in message
    assert 'realservices.demo(urls = [...], sha256 = "...")' in message


def test_wheel_that_no_index_has(workspace: Workspace, index: Index) -> None:
    workspace.module(demo_wheel_module("1" * 64))
    message = workspace.error_of("build", "@demo//:server", *index.options)
    assert "the index that pip asks has no wheel of this version for this platform" in message


def test_wheel_without_an_expected_program(workspace: Workspace, index: Index) -> None:
    sha256 = index.add("demo", "1.0", {"data/bin/other*": "run"})
    workspace.module(demo_wheel_module(sha256))
    message = workspace.error_of("build", "@demo//:server", *index.options)
    assert "@demo: expected the programs data/bin/server, but there is no data/bin/server." in message


def test_refetched_directory_is_noticed_by_the_actions_that_use_it(workspace: Workspace, index: Index) -> None:
    workspace.write(
        "reader/BUILD.bazel",
        """
filegroup(name = "contents", srcs = ["@demo//:server"], output_group = "contents")
genrule(
    name = "read",
    srcs = ["@demo//:server"],
    outs = ["read.txt"],
    cmd = "cat $(execpath @demo//:server)/bin/server > $@",
)
genrule(name = "list", srcs = [":contents"], outs = ["list.txt"], cmd = "cat $(SRCS) > $@")
""",
    )
    for content in ("first", "other"):
        workspace.module(demo_wheel_module(index.add("demo", "1.0", {"data/bin/server*": content})))
        done = workspace.bazel("build", "//reader:list", *index.options)
        assert done.returncode == 0, done.stderr
        assert "unsound" not in done.stderr
        done = workspace.bazel("build", "//reader:read", *index.options)
        assert done.returncode == 0, done.stderr
        output = Path(workspace.output_of("info", "bazel-bin").strip(), "reader")
        assert (output / "list.txt").read_text() == content
        assert (output / "read.txt").read_text() == content


def test_machine_without_python3(workspace: Workspace, index: Index, tmp_path: Path) -> None:
    workspace.module(demo_wheel_module("2" * 64))
    message = workspace.error_of("build", "@demo//:server", f"--repo_env=PATH={tmp_path}", *index.options)
    assert f"@demo: no python3 on PATH ({tmp_path})" in message


def test_python3_without_pip(workspace: Workspace, index: Index, tmp_path: Path) -> None:
    # A virtual environment made by hand, as `python3 -m venv --without-pip` does, of whatever python3 Bazel sees.
    (tmp_path / "bin").mkdir()
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (tmp_path / "bin" / "python3").symlink_to("/usr/bin/python3")
    workspace.module(demo_wheel_module("3" * 64))
    message = workspace.error_of("build", "@demo//:server", f"--repo_env=PATH={tmp_path}/bin", *index.options)
    assert f"@demo: {tmp_path}/bin/python3 has no pip" in message
    assert "ensurepip" in message


def test_unknown_python_version(workspace: Workspace) -> None:
    workspace.module('realservices.python(version = "3.10")')
    message = workspace.error_of("build", ASYNCPG)
    assert 'realservices.python: version is "3.10"; expected one of 3.11, 3.12, 3.13, 3.14.' in message


def test_machine_with_an_unknown_python(workspace: Workspace, index: Index, tmp_path: Path) -> None:
    python3 = tmp_path / "python3"
    python3.write_text("#!/bin/sh\necho /opt/python3\necho 3.9\n")
    python3.chmod(0o755)
    workspace.module('use_repo(realservices, "realservices_python")')
    message = workspace.error_of(
        "build", "@realservices_python//...", f"--repo_env=PATH={tmp_path}:/bin", *index.options
    )
    assert "@realservices_python: /opt/python3 is CPython 3.9; expected one of 3.11, 3.12, 3.13, 3.14." in message
    assert 'realservices.python(version = "3.14")' in message


def test_python_tag_twice(workspace: Workspace) -> None:
    workspace.module('realservices.python(version = "3.11")\nrealservices.python(version = "3.12")')
    assert "realservices.python: expected at most once; found 2 times" in workspace.error_of("build", ASYNCPG)


def test_lock_of_the_users_own(workspace: Workspace, index: Index) -> None:
    first = index.add("First_Dist", "1.0", {"first.py": ""}, requires="Requires-Dist: second-dist\n")
    second = index.add("second_dist", "2.0", {"second.py": "", "second_dist/tests/test_a.py": ""})
    workspace.write(
        "requirements.lock",
        f"first-dist==1.0 --hash=sha256:{first}\nsecond-dist==2.0 --hash=sha256:{second}\n",
    )
    workspace.module(
        'realservices.python(lock = "//:requirements.lock")\nuse_repo(realservices, "realservices_python")'
    )
    libraries = workspace.output_of("query", "kind(py_library, @realservices_python//...)", *index.options)
    assert [line.split(":")[1] for line in libraries.split()] == ["first_dist", "second_dist"]
    needed = workspace.output_of("query", "labels(deps, @realservices_python//:first_dist)", *index.options)
    assert needed.strip().endswith(":second_dist")
    site = Path(workspace.output_of("query", "@realservices_python//:BUILD.bazel", "--output=location").split(":")[0])
    with zipfile.ZipFile(site.parent / "site" / "second_dist.zip") as archive:
        assert {"second.py", "second.pyc"} <= set(archive.namelist())
        assert not [name for name in archive.namelist() if "test" in name]
    assert list((site.parent / "site" / "second_dist").iterdir()) == []


def test_what_has_data_files_is_one_link_locally_and_files_for_a_worker(workspace: Workspace, index: Index) -> None:
    sha256 = index.add("asyncpg", "1.0", {"asyncpg/__init__.py": "", "asyncpg/data.json": "{}"})
    workspace.write("requirements.lock", f"asyncpg==1.0 --hash=sha256:{sha256}\n")
    workspace.module('realservices.python(lock = "//:requirements.lock")')
    question = ("cquery", f"filter('site/', deps({ASYNCPG}))", "--output=label", *index.options)
    local = workspace.output_of(*question).split()
    assert [line.partition(":")[2] for line in local if "site/" in line] == ["site/asyncpg"]
    remote = workspace.output_of(*question, "--@rules_realservices//rules:remote").split()
    assert "site/asyncpg/asyncpg/data.json" in [line.partition(":")[2] for line in remote if "site/" in line]


def own_asyncpg_module(workspace: Workspace, index: Index, tag: str) -> None:
    """Make the lock hold nothing but an asyncpg that is compiled for `tag`."""
    sha256 = index.add("asyncpg", "1.0", {"asyncpg.py": ""}, tag=f"{tag}-{tag}-manylinux_2_17_{HOST_CPU}")
    workspace.write("requirements.lock", f"asyncpg==1.0 --hash=sha256:{sha256}\n")
    workspace.module('bazel_dep(name = "rules_python", version = "1.7.0")\n')


def test_python_version_follows_the_configuration_of_rules_python(workspace: Workspace, index: Index) -> None:
    own_asyncpg_module(workspace, index, "cp311")
    with (workspace.directory / "MODULE.bazel").open("a") as module:
        module.write('realservices.python(lock = "//:requirements.lock")\n')
        module.write('register_toolchains("//toolchain_3_11:python")\n')
    workspace.write("toolchain_3_11/BUILD.bazel", TOOLCHAIN_BUILD)
    workspace.write("toolchain_3_11/runtime.bzl", TOOLCHAIN_BZL.replace("minor = 12", "minor = 11"))
    version = "--@rules_python//python/config_settings:python_version=3.11.1"
    # The machine's own python3 may be any: only CPython 3.11 can use this wheel.
    site = workspace.output_of("cquery", f"filter(site/, deps({ASYNCPG}))", "--output=label", version, *index.options)
    assert "realservices_python_3_11//:site/asyncpg" in site


def test_compiled_packages_for_another_python_than_the_toolchain(workspace: Workspace, index: Index) -> None:
    own_asyncpg_module(workspace, index, "cp311")
    with (workspace.directory / "MODULE.bazel").open("a") as module:
        module.write('realservices.python(lock = "//:requirements.lock", version = "3.11")\n')
        module.write('register_toolchains("//toolchain:python")\n')
    workspace.write("toolchain/BUILD.bazel", TOOLCHAIN_BUILD)
    workspace.write("toolchain/runtime.bzl", TOOLCHAIN_BZL)
    message = workspace.error_of("build", ASYNCPG, *index.options)
    assert "compiled packages are here for CPython 3.11, but the Python toolchain is 3.12." in message
    assert 'In MODULE.bazel write realservices.python(version = "3.12").' in message


@pytest.mark.parametrize(("kind", "target"), [("postgres", DISTRIBUTION), ("redis", SERVER)])
def test_platform_without_a_pin(workspace: Workspace, kind: str, target: str) -> None:
    workspace.module('bazel_dep(name = "platforms", version = "0.0.10")')
    workspace.write(
        "other/BUILD.bazel",
        'platform(name = "other", constraint_values = ["@platforms//os:freebsd", "@platforms//cpu:x86_64"])',
    )
    message = workspace.error_of("build", target, "--platforms=//other")
    assert (
        f"no {kind} is pinned for this platform, only for linux_x86_64, linux_arm64, macos_arm64, macos_x86_64"
        in message
    )
    assert f"--{target}=//your:target" in message


def test_platform_without_a_package(workspace: Workspace) -> None:
    workspace.module('bazel_dep(name = "platforms", version = "0.0.10")')
    workspace.write(
        "mac/BUILD.bazel",
        'platform(name = "mac", constraint_values = ["@platforms//os:macos", "@platforms//cpu:x86_64"])',
    )
    message = workspace.error_of("build", SERVER, "--platforms=//mac")
    assert "has no redis for macos_x86_64, only for linux_arm64, linux_x86_64, macos_arm64." in message
    assert 'realservices.redis(path = "/...", platforms = ["macos_x86_64"])' in message


def test_replacement_by_path(workspace: Workspace, tmp_path: Path) -> None:
    root = installation(tmp_path)
    workspace.module(f'realservices.postgres(path = "{root}")')
    done = workspace.bazel("build", DISTRIBUTION)
    assert done.returncode == 0, done.stderr
    assert files_of(workspace, DISTRIBUTION) == ["pginstall"]


def test_replacement_by_archive(workspace: Workspace) -> None:
    with zipfile.ZipFile(workspace.directory / "servers.zip", "w") as archive:
        archive.writestr("valkey-9/bin/valkey-server", "run")
    workspace.module(
        'realservices.redis(archive = "//:servers.zip", strip_prefix = "valkey-9", program = "bin/valkey-server")'
    )
    workspace.write("BUILD.bazel", 'exports_files(["servers.zip"])')
    assert files_of(workspace, SERVER) == ["redis-server"]
    workspace.module('realservices.redis(archive = "//:servers.zip", strip_prefix = "valkey-9")')
    message = workspace.error_of("build", SERVER)
    assert (
        f'@realservices_redis_{HOST}: the archive has no "bin/redis-server" (below strip_prefix "valkey-9")' in message
    )


@pytest.mark.parametrize(("name", "program"), [("kafka", "tansu"), ("nats", "nats-server"), ("s3", "rclone")])
def test_catalogue_server_is_replaced_by_path(workspace: Workspace, tmp_path: Path, name: str, program: str) -> None:
    mine = tmp_path / "mine"
    mine.write_text("#!/bin/sh\n")
    workspace.module(f'realservices.{name}(path = "{mine}")')
    server = f"@rules_realservices//third_party/{name}:server"
    assert files_of(workspace, server) == [program]


def test_npm_package_of_another_hash_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    npm = tmp_path / "npm"
    # A stand-in that packs an empty file.
    npm.write_text('#!/bin/sh\nwhile [ "$1" != --pack-destination ]; do shift; done\n: > "$2/demo.tgz"\n')
    npm.chmod(0o755)
    workspace.module(
        """
npm_binary_repo = use_repo_rule("@rules_realservices//rules/private:npm_binary_repo.bzl", "npm_binary_repo")
npm_binary_repo(
    name = "demo",
    integrity = "sha512-AAAA",
    keep = "lib.so",
    kind = "demo",
    output = "lib.so",
    package = "@scope/demo",
    target = "server",
    version = "1.0",
)
"""
    )
    message = workspace.error_of("build", "@demo//:server", f"--repo_env=PATH={tmp_path}:/usr/bin:/bin")
    assert "@demo: could not fetch @scope/demo@1.0: the registry served another file than the pinned one" in message
    assert 'realservices.demo(path = "/...")' in message


def test_npm_that_fails_is_told_what_to_do_without(workspace: Workspace, index: Index, tmp_path: Path) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho npm error code ENOTFOUND >&2\nexit 1\n")
    npm.chmod(0o755)
    module = demo_wheel_module(index.add("demo", "1.0", {"data/bin/server*": "run"}))
    completed = 'integrity = "sha512-AAAA", npm_keep = ["*"], npm_package = "@scope/demo", npm_version = "1", without_npm = "//:basic"'
    workspace.module(module.replace('version = "1.0",', f'version = "1.0", npm_{completed}'))
    options = (*index.options, f"--repo_env=PATH={tmp_path}:/usr/bin:/bin")
    message = workspace.error_of("build", "@demo//:server", *options)
    assert "@demo: could not fetch @scope/demo@1: npm could not reach its registry." in message
    assert "do without what comes from npm: --@rules_realservices//third_party/demo:server=//:basic;" in message


@pytest.mark.parametrize(("brought", "shown"), [("clickhouse-26", "clickhouse"), ("engine.so", "libchdb.so")])
def test_clickhouse_by_path_is_shown_as_what_it_is(
    workspace: Workspace, tmp_path: Path, brought: str, shown: str
) -> None:
    mine = tmp_path / brought
    mine.write_text("")
    workspace.module(f'realservices.clickhouse(path = "{mine}")')
    assert files_of(workspace, CLICKHOUSE) == [shown]


def test_clickhouse_where_no_package_has_it(workspace: Workspace) -> None:
    workspace.module('bazel_dep(name = "platforms", version = "0.0.10")')
    workspace.write(
        "arm/BUILD.bazel",
        'platform(name = "arm", constraint_values = ["@platforms//os:linux", "@platforms//cpu:arm64"])',
    )
    message = workspace.error_of("build", CLICKHOUSE, "--platforms=//arm")
    assert "has no clickhouse for linux_arm64, only for linux_x86_64." in message
    assert 'realservices.clickhouse(path = "/...", platforms = ["linux_arm64"])' in message


def test_replacement_by_label(workspace: Workspace) -> None:
    workspace.module("")
    workspace.write("mine/BUILD.bazel", 'exports_files(["my-redis"])')
    workspace.write("mine/my-redis", "")
    assert files_of(workspace, SERVER, f"--{SERVER}=//mine:my-redis") == ["my-redis"]


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ("realservices.postgres()", "realservices.postgres: expected one of archive, path, urls; found none."),
        (
            'realservices.postgres(path = "/x", urls = ["file:///x.zip"])',
            "realservices.postgres: expected one of archive, path, urls; found path and urls.",
        ),
        ('realservices.postgres(path = "x")', 'realservices.postgres: path = "x" is not absolute.'),
        ('realservices.redis(urls = ["file:///x.zip"])', 'realservices.redis: urls = ["file:///x.zip"] needs sha256.'),
        (
            'realservices.redis(path = "/x", platforms = ["plan9"])',
            'realservices.redis: platforms has "plan9"; expected any of linux_x86_64,',
        ),
        (
            'realservices.redis(path = "/x")\nrealservices.redis(path = "/y", platforms = ["macos_arm64"])',
            "realservices.redis: macos_arm64 is replaced twice",
        ),
        (
            'realservices.postgres(path = "/nowhere/at/all")',
            f'@realservices_postgres_{HOST}: path = "/nowhere/at/all" does not exist on this machine.',
        ),
    ],
)
def test_wrong_replacement(workspace: Workspace, tags: str, message: str) -> None:
    workspace.module(tags)
    target = SERVER if tags.startswith("realservices.redis") else DISTRIBUTION
    assert message in workspace.error_of("build", target, "--platforms=@platforms//host")
