"""`validate`: with the services of a target, with those of a session, and with none that work."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from tests.cli.command import PRIVATE, Outcome, run
from tests.host import places


def _validate(*options: str, without: tuple[str, ...] = (), **variables: str) -> Outcome:
    """Run it among this test's services, or without the variables that begin so."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(without or ("-",))}
    path = os.pathsep.join([str(places.command_line()), *filter(None, sys.path)])
    command = [sys.executable, "-m", "realservices", "validate", *options]
    return Outcome(
        subprocess.run(
            command, env={**env, "PYTHONPATH": path, **variables},
            capture_output=True, text=True, timeout=120, check=False,
        )
    )  # fmt: skip


def _steps(outcome: Outcome) -> dict[str, dict[str, Any]]:
    return {step["id"]: step for step in outcome.content["steps"]}


def test_everything_that_a_target_has() -> None:
    outcome = _validate("--json")
    steps = _steps(outcome)
    assert {name: step["state"] for name, step in steps.items()} == {
        "database": "ok",
        "redis": "ok",
        "clickhouse": "ok",
        "mariadb": "missing",
        "http": "missing",
        "websocket": "ok",
        "filesystem": "ok",
        "llm": "missing",
    }, outcome.output
    for name in ("database", "redis", "clickhouse", "filesystem"):
        assert steps[name]["detail"].endswith("written, read, unseen by the next test")
    assert steps["redis"]["elapsed_ms"] > 0
    assert (outcome.content["verdict"], outcome.code) == ("ok", 0)


def test_what_a_developer_has_set_for_other_servers_changes_nothing() -> None:
    outcome = _validate(
        "--require=database",
        PGSSLMODE="verify-full", PGSSLNEGOTIATION="direct", PGTARGETSESSIONATTRS="standby",
        PGSERVICE="mine", PGHOST="/nowhere", PGPASSWORD="wrong",
    )  # fmt: skip
    assert outcome.code == 0, outcome.output


def test_lines_for_people() -> None:
    outcome = _validate()
    lines = outcome.output.splitlines()
    assert any(line.startswith("✓ database ") for line in lines)
    assert any(line.startswith("- llm ") for line in lines)
    assert lines[-1] == "✓ everything that is here works"
    assert outcome.errors == ""


def test_what_is_required_and_missing() -> None:
    outcome = _validate("--require=llm", "--require=redis")
    assert "✗ llm " in outcome.output
    assert outcome.output.splitlines()[-1] == "✗ 1 failed"
    assert outcome.code == 1


def test_a_service_of_others_that_does_not_answer() -> None:
    unreachable = {"TEST_REDIS_HOST": "127.0.0.1", "TEST_REDIS_PORT": "1"}
    outcome = _validate("--json", without=("REALSERVICES_", "TEST_POSTGRES", "TEST_CLICKHOUSE"), **unreachable)
    step = _steps(outcome)["redis"]
    assert step["state"] == "failed"
    assert "TEST_REDIS_HOST names a redis service at 127.0.0.1:1, and it cannot be reached" in step["detail"]
    assert outcome.code == 1


def test_a_whole_session_of_its_own() -> None:
    env = {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "REALSERVICES_POSTGRES": str(places.postgres_distribution()),
        "REALSERVICES_REDIS": str(places.redis_server()),
    }
    # The registry is every session's; of this one nothing is left.
    after = (
        "import os; kept = os.environ['ENCLOSURE_KEPT'].split(':'); "
        "left = [[name for name in os.listdir(place) if name not in kept] for place in ('/tmp', '/dev/shm')]; "
        "assert left == [['realservices-1000'], ['realservices-1000']], left; "
        "assert os.listdir('/tmp/realservices-1000') == []"
    )
    outcome = run("doctor", "--deep", "--json", enclosure=("--uid", "1000", *PRIVATE), env=env, after=after)
    for resource in ("database", "redis", "filesystem"):
        found = outcome.finding(f"session.{resource}")
        assert found["verdict"] == "ok", found
        assert "unseen by the next test" in found["found"]
    assert (outcome.code, outcome.errors) == (0, "")
