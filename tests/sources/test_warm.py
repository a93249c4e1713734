"""Warm services: what a session finds of the last one's kind, that it is never the last one's own, and how that ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import realservices
from realservices.system.warm_pool import end_session, socket_path, waiting_sessions
from tests.sources.warm_pool import await_nothing_waits, await_waiting, pids
from tests.sources.warm_project import WarmProject, await_removal, kill

_BOTH = ("postgres", "redis")
_XDIST = ("-p", "xdist.plugin", "-n2")
# Everything that a test could leave behind in a server, none of which a fixture would let through.
_LEAVES = """
import os
import asyncpg, redis

async def test_what_is_left(told, isolated_database, isolated_redis):
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    assert await connection.fetchval("SELECT to_regclass('left_behind')") is None
    assert await connection.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = 'left_behind'") == 0
    assert await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = 'left_behind'") == 0
    assert await connection.fetchval("SHOW work_mem") == "4MB"
    await connection.execute("CREATE TABLE left_behind ()")
    await connection.execute("CREATE ROLE left_behind")
    await connection.execute("CREATE DATABASE left_behind")
    await connection.execute("ALTER SYSTEM SET work_mem = '9MB'")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        assert client.keys() == []
        assert client.config_get("maxmemory") == {"maxmemory": "0"}
        assert client.acl_users() == ["default"] or "left" not in client.acl_users()
        client.set("left", "behind")
        client.config_set("maxmemory", "7mb")
        client.acl_setuser("left", enabled=True)
"""

_PRINTS = """
import os
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range(8))
async def test_it(isolated_redis, number):
    await isolated_redis.set("key", "value")
    Path(f"worker.{os.environ['PYTEST_XDIST_WORKER']}").write_text(os.environ["REALSERVICES_SESSION"])
"""


@pytest.fixture
def project(tmp_path: Path, alone: pytest.MonkeyPatch) -> Iterator[WarmProject]:
    made = WarmProject(tmp_path, dict(os.environ))
    yield made
    made.close()


def test_a_session_finds_services_that_run(project: WarmProject) -> None:
    first = project.run()
    waiting = await_waiting(*_BOTH)
    second = project.run()
    assert second["REALSERVICES_SESSION"] == waiting["directory"]
    assert second["pids"] == pids(waiting)
    assert not set(second["pids"].values()) & set(first["pids"].values())
    # It is told of them as if it had started them itself.
    assert all(started > 0 for started in second["started"].values()), second


def test_all_workers_have_what_the_session_has_found(project: WarmProject) -> None:
    project.write("test_worker.py", _PRINTS)
    project.run("test_both.py")
    waiting = await_waiting(*_BOTH)
    run = project.start(*_XDIST, "test_worker.py")
    output, _ = run.process.communicate()
    assert run.process.returncode == 0, output
    sessions = {path.name: path.read_text("utf-8") for path in project.directory.glob("worker.*")}
    assert sessions == dict.fromkeys(("worker.gw0", "worker.gw1"), waiting["directory"])


def test_nothing_of_a_session_is_seen_by_the_next(project: WarmProject) -> None:
    project.write("test_both.py", _LEAVES)
    before = project.run()
    for _ in range(3):
        waiting = await_waiting(*_BOTH)
        found = project.run()
        assert found["pids"] == pids(waiting)
        # Not even an address or a password that somebody has kept.
        assert before["DATABASE_URL"] != found["DATABASE_URL"]
        assert before["REDIS_URL"] != found["REDIS_URL"]
        before = found


def test_sessions_at_once_share_nothing(project: WarmProject) -> None:
    project.write("test_both.py", _LEAVES)
    project.run()
    waiting = await_waiting(*_BOTH)
    runs = [project.start() for _ in range(4)]
    found = [run.finish() for run in runs]
    used = [pid for session in found for pid in session["pids"].values()]
    assert len(set(used)) == len(used) == 8
    assert [session["pids"] for session in found].count(pids(waiting)) == 1
    # Of the four sessions' services one set is enough for the next.
    await_waiting(*_BOTH)
    assert len(waiting_sessions()) == 1


def test_what_was_used_some_sessions_ago_is_kept(project: WarmProject) -> None:
    project.write("test_redis.py", "async def test_it(told, isolated_redis, service_control):\n    pass\n")
    project.run("test_redis.py")
    await_waiting("redis")
    assert set(project.run("test_both.py")["pids"]) == {"postgres", "redis"}
    for _ in range(5):
        await_waiting(*_BOTH)
        # Nobody is told of a service that nobody has asked for.
        assert set(project.run("test_redis.py")["pids"]) == {"redis"}
    waiting = await_waiting(*_BOTH)
    assert project.run("test_both.py")["pids"] == pids(waiting)


def test_what_nobody_uses_any_more_is_not_kept(project: WarmProject) -> None:
    project.write("test_redis.py", "async def test_it(told, isolated_redis):\n    pass\n")
    project.run("test_both.py")
    for _ in range(6):
        await_waiting(*_BOTH)
        project.run("test_redis.py")
    await_waiting("redis")


def test_a_session_that_uses_nothing_leaves_things_as_they_are(project: WarmProject) -> None:
    project.write("test_files.py", "async def test_it(filesystem):\n    await filesystem.create_file('a')\n")
    project.run()
    waiting = await_waiting(*_BOTH)
    run = project.start("test_files.py")
    output, _ = run.process.communicate()
    assert run.process.returncode == 0, output
    assert await_waiting(*_BOTH)["services"] == waiting["services"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("name", _BOTH)
def test_a_broken_service_is_replaced(project: WarmProject, name: str, number: signal.Signals) -> None:
    project.run()
    waiting = await_waiting(*_BOTH)
    other = next(each for each in _BOTH if each != name)
    if number == signal.SIGKILL:
        kill(pids(waiting)[name])
        await_waiting(other)
    else:
        os.kill(pids(waiting)[name], number)
    found = project.run()["pids"]
    assert found[other] == pids(waiting)[other]
    assert found[name] != pids(waiting)[name]


def test_after_the_end_of_all_services_nothing_is_offered(project: WarmProject) -> None:
    project.run()
    waiting = await_waiting(*_BOTH)
    for pid in pids(waiting).values():
        kill(pid)
    await_nothing_waits()
    await_removal(waiting["directory"])
    project.run()


def test_an_offer_of_a_killed_process_is_stale(project: WarmProject) -> None:
    project.run()
    waiting = await_waiting(*_BOTH)
    (name,) = waiting_sessions()
    kill(waiting["pid"])
    assert Path(socket_path(name)).exists()
    second = project.run()
    assert not set(second["pids"].values()) & set(pids(waiting).values())
    # The next one has taken its place, and what it left is gone.
    assert await_waiting(*_BOTH)["pid"] != waiting["pid"]
    assert not Path(waiting["directory"]).exists()


def test_an_offer_of_a_process_that_hangs_is_not_waited_for(project: WarmProject) -> None:
    project.run()
    waiting = await_waiting(*_BOTH)
    os.kill(waiting["pid"], signal.SIGSTOP)
    try:
        assert project.run()["pids"] != pids(waiting)
    finally:
        os.kill(waiting["pid"], signal.SIGCONT)
    # It has not given its services to somebody who had gone.
    assert pids(await_waiting(*_BOTH)) == pids(waiting)


def test_a_file_in_the_place_of_an_offer_is_not_in_the_way(project: WarmProject) -> None:
    project.run()
    await_waiting(*_BOTH)
    (name,) = waiting_sessions()
    assert end_session(name)
    Path(socket_path(name)).write_text("no socket", encoding="utf-8")
    project.run()
    await_waiting(*_BOTH)


def test_a_killed_session_leaves_fresh_services(project: WarmProject) -> None:
    project.write("test_both.py", _LEAVES)
    project.write("test_end.py", "import os, signal\ndef test_end():\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    project.run("test_both.py")
    await_waiting(*_BOTH)
    run = project.start("test_both.py", "test_end.py")
    run.process.communicate()
    assert run.process.returncode == -signal.SIGKILL
    waiting = await_waiting(*_BOTH)
    assert project.run("test_both.py")["pids"] == pids(waiting)


def test_idle_services_end_by_themselves(project: WarmProject) -> None:
    project.declare("", "warm = true\nwarm_idle_s = 0.5")
    project.run()
    await_nothing_waits()
    await_removal("/tmp/realservices-*/session.*")


def test_how_long_they_wait_is_what_the_project_says_now(project: WarmProject) -> None:
    project.run()
    waiting = await_waiting(*_BOTH)
    project.declare("", "warm = true\nwarm_idle_s = 0.5")
    # Those that wait do so for as long as they were told.
    assert not set(project.run()["pids"].values()) & set(pids(waiting).values())


def test_who_ends_an_offer_waits_until_nothing_is_left(project: WarmProject) -> None:
    project.run()
    waiting = await_waiting(*_BOTH)
    (name,) = waiting_sessions()
    assert end_session(name)
    assert not [pid for pid in pids(waiting).values() if Path(f"/proc/{pid}").exists()]
    assert list(Path("/tmp").glob("realservices-*/session.*")) == []
    assert list(Path(socket_path(name)).parent.iterdir()) == []
    assert not end_session(name)


def test_the_environment_decides(project: WarmProject) -> None:
    project.env["REALSERVICES_WARM"] = "0"
    project.run()
    project.declare("", "")
    project.env["REALSERVICES_WARM"] = "true"
    project.run()
    await_waiting(*_BOTH)
    project.env["REALSERVICES_WARM"] = "perhaps"
    run = project.start()
    output, _ = run.process.communicate()
    assert run.process.returncode == pytest.ExitCode.USAGE_ERROR
    assert "REALSERVICES_WARM='perhaps'; it is one of 1, true, 0, false" in output


def test_what_is_compiled_changes_no_key_and_what_is_written_does(tmp_path: Path) -> None:
    """pytest compiles this package when it first imports it: the next session is to find what that one leaves."""
    source, package = Path(realservices.__file__).parent, tmp_path / "realservices"
    if source.is_dir():
        shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        zipfile.ZipFile(source.parent).extractall(tmp_path)
    code = "from pathlib import Path; from realservices.sources.warm import _key; print(_key(Path(), 600))"

    def key() -> str:
        command = [sys.executable, "-B", "-c", code]
        done = subprocess.run(
            command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True
        )
        return done.stdout

    first = key()
    (package / "contract" / "__pycache__").mkdir()
    assert key() == first
    (package / "contract" / "errors.py").touch()
    assert key() != first


def test_another_path_is_another_key(project: WarmProject) -> None:
    project.run()
    waiting = await_waiting(*_BOTH)
    project.env["PATH"] += f":{project.directory}"
    assert not set(project.run()["pids"].values()) & set(pids(waiting).values())
