"""Sessions in which a service dies: which test says so, and what later ones are told."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sources.warm_project import WarmProject

Run = Callable[..., pytest.RunResult]

_XDIST = ("-p", "xdist.plugin", "-n2")
# What tests in inner runs need: to kill a service, and to know that the launcher has heard of it.
_CONFTEST = """
import os, signal
import pytest
from realservices.control.client import BlockingServiceControl
from realservices.isolation.isolation_manager import process_manager

@pytest.fixture
def die():
    def die(name):
        control = BlockingServiceControl(process_manager().services.control)
        status = control.status()
        os.kill(status[name].pid, signal.SIGKILL)
        while control.watch({name: each.state for name, each in status.items()})[name].state == "ready":
            pass
    return die
"""
_DEATH = r"service '{}' \(the default\) was killed by SIGKILL while the session ran, [0-9.]+ s after its start"


@pytest.fixture(autouse=True)
def _own_programs(alone: pytest.MonkeyPatch, pytester: pytest.Pytester) -> None:
    runfiles = Path(os.environ["RUNFILES_DIR"])
    alone.setenv("REALSERVICES_POSTGRES", str(runfiles / os.environ["POSTGRES_DISTRIBUTION"]))
    alone.setenv("REALSERVICES_REDIS", str(runfiles / os.environ["REDIS_SERVER"]))
    alone.setenv("XDG_CACHE_HOME", os.environ["TEST_TMPDIR"])
    pytester.makeconftest(_CONFTEST)


def _sections(result: pytest.RunResult) -> dict[str, str]:
    """Return what is reported of each test that failed, by its heading."""
    parts = re.split(r"^_{3,} (.+?) _{3,}$", result.stdout.str(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize(
    ("name", "fixture", "use", "words"),
    [
        ("redis", "isolated_redis", "ping()", "Ready to accept connections"),
        ("postgres", "isolated_database", "fetchval('SELECT 1')", "database system is ready to accept connections"),
    ],
)
def test_the_test_during_which_it_died_fails_and_later_ones_are_told(
    pytester: pytest.Pytester, run: Run, name: str, fixture: str, use: str, words: str
) -> None:
    pytester.makepyfile(f"""
        async def test_before({fixture}):
            assert await {fixture}.{use}

        async def test_during(die, {fixture}):
            die("{name}")

        def test_that_uses_nothing():
            pass

        async def test_later({fixture}):
            assert await {fixture}.{use}

        def test_much_later({fixture}_sync):
            assert {fixture}_sync.{use}
    """)
    result = run()
    outcomes = result.parseoutcomes()
    assert (outcomes["failed"], outcomes["passed"]) == (1, 2)
    sections = _sections(result)
    assert {"test_during", "ERROR at setup of test_later", "ERROR at setup of test_much_later"} <= sections.keys()
    for heading in ("test_during", "ERROR at setup of test_later", "ERROR at setup of test_much_later"):
        assert re.match(rf"\n{_DEATH.format(name)}\n  its last log lines:\n", sections[heading]), sections[heading]
        assert words in sections[heading]
    assert "No such file or directory" not in sections["ERROR at setup of test_later"]


def test_death_that_only_the_end_of_the_test_meets(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def dies_afterwards(die, isolated_redis):
            yield
            die("redis")

        async def test_it(dies_afterwards):
            pass
    """)
    result = run()
    result.assert_outcomes(passed=1, errors=1)
    assert re.match(rf"\n{_DEATH.format('redis')}\n", _sections(result)["ERROR at teardown of test_it"])


def test_fixtures_and_tests_that_meet_a_dead_service_name_it(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("""
        import os, signal
        import asyncpg, pytest
        from realservices.control.client import BlockingServiceControl
        from realservices.isolation.isolation_manager import process_manager

        def kill():  # Without waiting until the launcher has heard of it.
            control = BlockingServiceControl(process_manager().services.control)
            os.kill(control.status()["postgres"].pid, signal.SIGKILL)

        @pytest.fixture
        async def own(isolated_database):
            kill()
            while True:
                await (await asyncpg.connect(os.environ["DATABASE_URL"])).close()

        async def test_setup(own):
            pass

        async def test_call(isolated_redis):
            await asyncpg.connect(os.environ["DATABASE_URL"])
    """)
    sections = _sections(run())
    setup, call = sections["ERROR at setup of test_setup"], sections["test_call"]
    assert re.match(rf"\n{_DEATH.format('postgres')}\n", setup), setup
    assert re.search(r"\nthe test met it as \w+: ", setup), setup
    # What has died is shown at length once; the test's own exception stays what it is.
    assert "Error" in call
    assert re.search(rf"^E? +{_DEATH.format('postgres')}$", call, re.MULTILINE), call


def test_environments_name_it_once(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("""
        import pytest

        def test_during(die, isolated_redis_sync):
            die("redis")

        async def test_call(comprehensive_test_environment):
            await comprehensive_test_environment["redis"].ping()

        @pytest.fixture
        async def client(comprehensive_test_environment):
            return comprehensive_test_environment["redis"]

        async def test_setup(client):
            pass
    """)
    sections = _sections(run())
    assert len(re.findall(_DEATH.format("redis"), sections["test_call"])) == 1
    assert re.match(rf"\n{_DEATH.format('redis')}\n", sections["ERROR at setup of test_setup"])
    assert len(re.findall(_DEATH.format("redis"), sections["ERROR at setup of test_setup"])) == 1


def test_what_the_test_stops_itself_is_no_death(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("""
        async def test_stops(service_control, isolated_redis, isolated_database):
            await service_control.stop("redis")
            await service_control.kill("postgres")

        async def test_kills_and_starts(service_control, isolated_redis):
            await service_control.kill("redis")
            await service_control.start("redis")
            assert await isolated_redis.ping()

        async def test_later(isolated_redis, isolated_database):
            assert await isolated_redis.ping()
            assert await isolated_database.fetchval("SELECT 1") == 1
    """)
    run().assert_outcomes(passed=3)


def test_service_that_dies_of_itself_is_brought_back_and_reported(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("""
        async def test_during(service_control, die, isolated_redis):
            die("redis")

        async def test_later(isolated_redis):
            assert await isolated_redis.ping()
    """)
    result = run()
    result.assert_outcomes(failed=1, passed=1)
    assert re.match(rf"\n{_DEATH.format('redis')}\n", _sections(result)["test_during"])


# A module for tests in several workers: each goes on once the other is there, too.
_MEETING = """
import os, time
from pathlib import Path

def meet(name, n):
    Path(f"{name}.{n}").touch()
    deadline = time.monotonic() + 20
    while not (Path(f"{name}.0").exists() and Path(f"{name}.1").exists()) and time.monotonic() < deadline:
        os.sched_yield()
"""


def test_workers_that_share_it_hear_of_it(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(meeting=_MEETING)
    pytester.makepyfile("""
        import pytest
        from meeting import meet

        @pytest.mark.parametrize("n", range(2))
        async def test_it(isolated_database, die, n):
            meet("used", n)
            if n == 0:
                die("postgres")
            else:
                while await isolated_database.fetchval("SELECT 1"):
                    pass
    """)
    result = run(*_XDIST)
    assert result.parseoutcomes()["failed"] == 2
    for heading, section in _sections(result).items():
        assert re.search(_DEATH.format("postgres"), section), heading


def test_workers_do_not_meet_the_death_of_another_ones_own(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(meeting=_MEETING)
    pytester.makepyfile("""
        import os
        import pytest
        from meeting import meet

        N = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))

        async def test_it(isolated_redis, die):
            meet("used", N)
            if N == 0:
                die("redis-gw0")
            meet("dead", N)
            if N == 1:
                assert await isolated_redis.ping()

        async def test_later(isolated_redis):
            assert await isolated_redis.ping()
    """)
    result = run(*_XDIST, "--dist=each")
    # In gw0 the test or its end fails, and the later one; in gw1 nothing does.
    sections = _sections(result)
    assert "ERROR at setup of test_later" in sections
    assert sections.keys() & {"test_it", "ERROR at teardown of test_it"}
    for heading, section in sections.items():
        assert section.startswith("\n[gw0]"), heading
        assert re.search(_DEATH.format("redis-gw0"), section), heading


def test_end_of_the_services_process(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("""
        import os, select, signal, socket, struct
        import pytest
        from realservices.isolation.isolation_manager import process_manager

        def test_during(isolated_redis_sync):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(process_manager().services.control)
                peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
                end = os.pidfd_open(struct.unpack("3i", peer)[0])
                signal.pidfd_send_signal(end, signal.SIGKILL)
                # By then the kernel has closed all that it had open, so that all who listen have been told.
                assert select.select([end], [], [], 30)[0]
                os.close(end)

        def test_later(isolated_redis_sync):
            isolated_redis_sync.ping()
    """)
    result = run()
    assert result.parseoutcomes()["failed"] == 1
    for heading in ("test_during", "ERROR at setup of test_later"):
        assert (
            "service 'redis' (the default) has died: the process that runs the session's services has ended, and they "
            "with it" in _sections(result)[heading]
        )


@pytest.fixture
def warm(tmp_path: Path, alone: pytest.MonkeyPatch) -> Iterator[WarmProject]:
    made = WarmProject(tmp_path, dict(os.environ))
    yield made
    made.close()


def test_services_that_were_warm(warm: WarmProject) -> None:
    warm.run()
    warm.write("conftest.py", (warm.directory / "conftest.py").read_text("utf-8") + _CONFTEST)
    warm.write("test_dead.py", 'async def test_during(die, isolated_redis):\n    die("redis")\n')
    session = warm.start("test_dead.py")
    output, _ = session.process.communicate()
    assert session.process.returncode == 1
    assert re.search(_DEATH.format("redis"), output), output
