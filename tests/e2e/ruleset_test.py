"""The ruleset as a stranger sees it: Bazel's own output over a copy of the example, outside of any sandbox of ours."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

import pytest

from tests.e2e.bazel_results import results
from tests.e2e.left_behind import left_behind
from tests.scratch import Workspace, copy_of_the_example

_BAD_TARGETS = """
load("@rules_realservices//rules:defs.bzl", "postgres_service", "real_service_test", "redis_service")

postgres_service(name = "bad_db", migrations = ["bad.sql"])
redis_service(name = "hen", services = [":egg"])
redis_service(name = "egg", services = [":hen"])
redis_service(name = "bad_cache", settings = {"maxmemory-policy": "no-such-policy"})
real_service_test(name = "bad_cache_test", test = "pass.sh", services = [":bad_cache"], tags = ["manual"])
real_service_test(name = "slow_test", test = "hang.sh", services = [":good_db"], timeout = "short", tags = ["manual"])
real_service_test(name = "flag_test", test = "flag.sh", services = [":good_db"], tags = ["manual"])
postgres_service(name = "good_db")
"""
_BAD_BUCKET = """
load("@rules_realservices//rules:defs.bzl", "s3_service")

s3_service(name = "objects", buckets = ["uploads", "Uploads"])
"""
_HANG = "#!/bin/sh\ntrap 'exit 9' TERM\nwhile :; do read -r line || sleep 1; done\n"


@pytest.fixture(scope="module")
def monorepo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A copy of the example that tests may change, with targets that are wrong."""
    workspace = copy_of_the_example(tmp_path_factory.mktemp("monorepo"))
    workspace.write("bad/BUILD.bazel", _BAD_TARGETS)
    workspace.write("bad/bad.sql", "CREATE TABLE good (id int);\n\nCREATE TABLE bad (\n  id int\n  oops int\n);\n")
    for name, script in (("pass.sh", "#!/bin/sh\n"), ("hang.sh", _HANG), ("flag.sh", '#!/bin/sh\ntest "$1" = on\n')):
        workspace.write(f"bad/{name}", script).chmod(0o755)
    yield workspace
    workspace.end()


def test_a_wrong_bucket_name_is_refused(monorepo: Workspace) -> None:
    monorepo.write("buckets/BUILD.bazel", _BAD_BUCKET)
    message = monorepo.error_of("build", "//buckets:objects")
    assert "//buckets:objects: attribute 'buckets': \"Uploads\"; allowed: 3 to 63 lower-case letters" in message


def test_the_example_passes_in_linux_sandbox_and_is_cached_then(monorepo: Workspace) -> None:
    first = monorepo.bazel("test", "//auth/...", "--announce_rc")
    output = first.stdout + first.stderr
    assert first.returncode == 0, output
    found = results(output)
    assert len(found) >= 9
    assert {status for _, status in found.values()} == {"PASSED"}
    assert re.search(r"processes: .*\b\d+ linux-sandbox", output)
    assert "unsound" not in output

    second = monorepo.bazel("test", "//auth/...")
    assert results(second.stdout + second.stderr) == dict.fromkeys(found, (True, "PASSED"))


def test_a_changed_migration_rebuilds_one_template_and_reruns_its_tests_only(monorepo: Workspace) -> None:
    assert monorepo.bazel("test", "//auth/...").returncode == 0
    comment, table = (_ran_after_appending(monorepo, sql) for sql in ("-- changed\n", "CREATE TABLE added (x int);\n"))
    users = monorepo.output_of("cquery", "rdeps(//auth/..., //auth:db)", "--output=label")
    with_database = {line.split()[0] for line in users.splitlines()} & set(table)
    assert {target for target, ran in table.items() if ran} == with_database
    assert set(table) - with_database, "the example has tests without the database"
    assert not any(comment.values()), "a comment makes the same template"


def _ran_after_appending(monorepo: Workspace, sql: str) -> dict[str, bool]:
    """Append to the last migration of auth, test, and return of each test whether it ran; one template is built."""
    migration = sorted((monorepo.directory / "auth" / "migrations").iterdir())[-1]
    migration.write_text(f"{migration.read_text(encoding='utf-8')}\n{sql}", encoding="utf-8")
    done = monorepo.bazel("test", "//auth/...", "--subcommands")
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert len(re.findall(r"SUBCOMMAND: .*mnemonic: RealservicesPostgresTemplate", output)) == 1
    return {target: not cached for target, (cached, _) in results(output).items()}


def test_a_wrong_migration_fails_the_build_with_file_line_statement_and_the_servers_words(monorepo: Workspace) -> None:
    error = monorepo.error_of("build", "//bad:bad_db")
    assert "//bad:bad_db: PostgreSQL refused migration bad/bad.sql, line 5:" in error
    assert 'syntax error at or near "oops"' in error
    assert "CREATE TABLE bad (" in error


def test_a_cycle_of_services_is_refused(monorepo: Workspace) -> None:
    error = monorepo.error_of("build", "//bad:hen")
    assert "cycle in dependency graph" in error
    assert "//bad:egg" in error


def test_a_service_that_does_not_start_is_named_with_its_log(monorepo: Workspace) -> None:
    done = monorepo.bazel("test", "//bad:bad_cache_test", "--test_output=errors")
    output = done.stdout + done.stderr
    assert done.returncode == 3, output
    assert "service 'bad_cache' (@@//bad:bad_cache)" in output or "service 'bad_cache' (//bad:bad_cache)" in output
    assert "maxmemory-policy" in output
    logs = monorepo.directory / "bazel-testlogs" / "bad" / "bad_cache_test" / "test.outputs"
    assert (logs / "bad_cache.log").exists() or (logs / "outputs.zip").exists()


def test_a_time_out_is_reported_as_such(monorepo: Workspace) -> None:
    done = monorepo.bazel("test", "//bad:slow_test", "--test_timeout=4", "--test_output=errors")
    output = done.stdout + done.stderr
    assert results(output)["//bad:slow_test"][1] == "TIMEOUT", output
    assert "ended by SIGTERM" in output
    assert "the test's time-out is 4 s" in output


_HANGING = {
    "plain": """
import time

import pytest


@pytest.fixture
def resource():
    yield
    print("torn down", flush=True)


def test_before():
    pass


def test_hangs(resource):
    waiting_here()


def waiting_here():
    time.sleep(1000)


def test_after():
    raise AssertionError("this must not run")
""",
    "asynchronous": """
import asyncio

import pytest


@pytest.fixture
async def resource(isolated_redis):
    yield isolated_redis
    await isolated_redis.ping()
    print("torn down", flush=True)


def test_before():
    pass


async def test_hangs(resource):
    await waiting_here()


async def waiting_here():
    await asyncio.Event().wait()


def test_after():
    raise AssertionError("this must not run")
""",
}
_HANGING_BUILD = """
load("@rules_realservices//rules:defs.bzl", "real_service_test", "redis_service")
redis_service(name = "cache")
real_service_test(name = "plain_test", srcs = ["plain_test.py"], timeout = "short", args = ["-s"])
real_service_test(
    name = "asynchronous_test", srcs = ["asynchronous_test.py"], services = [":cache"], timeout = "short", args = ["-s"],
)
"""


def test_a_time_out_names_the_running_test_and_its_stack(monorepo: Workspace) -> None:
    monorepo.write("hanging/BUILD.bazel", _HANGING_BUILD)
    for name, text in _HANGING.items():
        monorepo.write(f"hanging/{name}_test.py", text)
    done = monorepo.bazel("test", "//hanging/...", "--test_timeout=15", "--test_output=errors", "--keep_going")
    output = done.stdout + done.stderr
    for name in _HANGING:
        assert results(output)[f"//hanging:{name}_test"][1] == "TIMEOUT", output
        logs = monorepo.directory / "bazel-testlogs" / "hanging" / f"{name}_test"
        log = (logs / "test.log").read_text(encoding="utf-8")
        assert f"ended by SIGTERM; the test's time-out is 15 s, in hanging/{name}_test.py::test_hangs (call)" in log
        assert re.search(r"in waiting_here\n", log), log
        assert "torn down" in log, log
        cases = {case.get("name"): case for case in ElementTree.parse(logs / "test.xml").iter("testcase")}
        assert {"test_before", "test_hangs"} <= set(cases)
        assert "test_after" not in cases
        failure = cases["test_hangs"].find("failure")
        assert failure is not None
        assert "ended by SIGTERM" in (failure.text or "")
        assert "waiting_here" in (failure.text or "")


def test_arguments_filter_and_fail_fast_reach_the_tests(monorepo: Workspace) -> None:
    assert monorepo.bazel("test", "//bad:flag_test", "--test_arg=on").returncode == 0
    assert monorepo.bazel("test", "//bad:flag_test", "--test_arg=off").returncode == 3
    done = monorepo.bazel(
        "test", "//auth:service_test", "--test_filter=sign_up", "--test_output=all", "--test_runner_fail_fast"
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert re.search(r"\d+ deselected", output)


@pytest.mark.parametrize(
    "options",
    [
        ["--sandbox_default_allow_network=false"],
        ["--spawn_strategy=processwrapper-sandbox"],
        ["--spawn_strategy=local"],
        ["--sandbox_fake_username"],
        ["--nosandbox_default_allow_network", "--sandbox_fake_username", "--runs_per_test=2"],
        ["--incompatible_sandbox_hermetic_tmp=false"],
    ],
    ids=" ".join,
)
def test_the_example_passes_however_it_is_sandboxed(monorepo: Workspace, options: list[str]) -> None:
    before = left_behind()
    done = monorepo.bazel("test", "//auth/...", "--nocache_test_results", *options)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert set(results(output).values()) == {(False, "PASSED")}
    assert left_behind() <= before
