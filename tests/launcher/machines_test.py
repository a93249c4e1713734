"""Machines that give less than the best: other users, no user namespaces, little shared memory, no network."""

from __future__ import annotations

import hashlib
import os
import re
import select
import signal
import subprocess
from pathlib import Path

import pytest

from tests.host import places
from tests.host.real_root import needs_all_ids
from tests.launcher.family import children, guardian_of
from tests.launcher.launched import ANSWERS, DEADLINE_S, QUERY_AT_ONCE, Launched, postgres, redis
from tests.services.queries import backend_in, sql

_SLOWER = "service 'db' (//app:db) runs on a private copy of its template, which starts more slowly: "
_PRIVATE = ["--ipc", "--tmpfs", "/dev/shm"]
_SEGMENTS = Path("/proc/sysvipc/shm")
_DAC_OVERRIDE = 1 << 1


def _closed(tmp_path: Path) -> Path:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    return closed


@pytest.mark.parametrize(
    "enclosure",
    [["--uid", "1000"], ["--uid", "65534"], ["--uid", "0"], ["--net"], ["--uid", "1000", "--net", "--pid"]],
    ids=["a user", "nobody", "root", "root without network", "a user in a sandbox"],
)
def test_where_namespaces_are_had_nobody_notices(tmp_path: Path, template: Path, enclosure: list[str]) -> None:
    services = [postgres(), redis()]
    with Launched(tmp_path / "run", services, template=template, script=QUERY_AT_ONCE, enclosure=enclosure) as launched:
        assert launched.wait() == 0, launched.output
        assert launched.output == ANSWERS
        assert launched.written("warnings") == ""


def test_without_user_namespaces_postgres_runs_on_a_copy(tmp_path: Path, template: Path) -> None:
    enclosure = ["--uid", "1000", "--no-user-namespaces", *_PRIVATE]
    with Launched(tmp_path / "run", [postgres(), redis()], template=template, enclosure=enclosure) as launched:
        db = launched.endpoints["db"]
        assert sql(db["url"], "SELECT name FROM items") == "seeded"
        # Equal files are links in the template; here they are written to, each for itself.
        sql(db["url"].rpartition("/")[0] + "/postgres", "CREATE TABLE only_here (id int)", "CHECKPOINT")
        assert sql(db["url"], "SELECT count(*) FROM pg_class WHERE relname = 'only_here'") == "0"
        # A worker that computes does not look after its postmaster; no new server starts before it is gone.
        busy = "SELECT count(*) FROM generate_series(1, 1000000000000)"
        with (
            launched.control() as control,
            subprocess.Popen([places.psql(), "-X", db["url"], "-c", busy], stderr=subprocess.DEVNULL),
        ):
            backend_in(control.ask("status")["services"]["db"]["pid"], "SELECT")
            for operation in ("kill", "stop", "kill"):
                sql(db["url"], f"INSERT INTO items (name) SELECT count(*) || '{operation}' FROM items")
                assert control.ask(operation, service="db") == {"ok": True}
                assert control.ask("start", service="db") == {"ok": True}
                assert control.ask("wait") == {"ok": True}
        assert sql(db["url"], "SELECT string_agg(name, ' ' ORDER BY id) FROM items") == "seeded 1kill 2stop 3kill"
        assert launched.finish() == 0
        assert launched.written("warnings") == f"{_SLOWER}[Errno 28] clone: No space left on device\n"


def test_a_copy_leaves_nothing_behind(tmp_path: Path, template: Path) -> None:
    # The program is the last to look: what it finds after the launcher's end is what the launcher left.
    enclosure = ["--uid", "1000", "--no-user-namespaces", "--pid", *_PRIVATE, "--tmpfs", "/var/tmp"]
    report = tmp_path / "left"
    with Launched(
        tmp_path / "run",
        [postgres()],
        template=template,
        script="#!/bin/sh\nls -d /dev/shm/realservices-1000/memory.* >&2; wc -l < /proc/sysvipc/shm\n",
        enclosure=enclosure,
        after=f"{{ cat /proc/sysvipc/shm | tail -n +2; ls -d /dev/shm/realservices-1000/memory.* /dev/shm/Postgres*; ps -e -o comm= | grep postgres; }} > {report} 2>/dev/null",
    ) as launched:
        assert launched.wait() == 0, launched.output
        # While it ran, there were a directory and a segment: the looking works.
        assert launched.output.startswith("/dev/shm/realservices-1000/memory.")
        assert launched.output.endswith("\n2\n")
    assert report.read_text("utf-8") == ""


@pytest.mark.parametrize("kernel", ["--no-user-namespaces", "--container"])
def test_root_without_user_namespaces_runs_postgres_as_nobody(tmp_path: Path, template: Path, kernel: str) -> None:
    needs_all_ids()
    # The test's own directories, and perhaps the distribution, lie where no other user may look.
    enclosure = ["--all-ids", kernel, *_PRIVATE]
    services = [postgres(), redis()]
    with Launched(tmp_path / "run", services, template=template, enclosure=enclosure) as launched:
        db = launched.endpoints["db"]
        assert sql(db["url"], "INSERT INTO items (name) VALUES ('kept')", "SELECT count(*) FROM items") == "2"
        with launched.control() as control:
            pid = control.ask("status")["services"]["db"]["pid"]
            # Shown as this process sees it: nobody, within and without.
            assert Path(f"/proc/{pid}").stat().st_uid == 65534
            assert _capabilities(pid) == {"CapPrm": _DAC_OVERRIDE, "CapEff": _DAC_OVERRIDE, "CapAmb": _DAC_OVERRIDE}
            assert control.ask("kill", service="db") == {"ok": True}
            assert control.ask("start", service="db") == {"ok": True}
            assert control.ask("wait") == {"ok": True}
        assert sql(db["url"], "SELECT count(*) FROM items") == "2"
        # Nothing was opened to other users for it.
        assert Path(db["socket"]).parent.stat().st_mode & 0o077 == 0
        assert launched.finish() == 0
        assert launched.written("warnings").startswith(_SLOWER)


def test_in_a_container_the_guardian_finds_what_root_gave_away(tmp_path: Path, template: Path) -> None:
    needs_all_ids()
    guardian_is_done = tmp_path / "done"
    os.mkfifo(guardian_is_done)
    report = tmp_path / "left"
    with Launched(
        tmp_path / "run",
        [postgres()],
        template=template,
        enclosure=["--all-ids", "--container", "--pid", *_PRIVATE],
        after=f"read line < {guardian_is_done}; {{ ps -e -o comm= | grep postgres; tail -n +2 /proc/sysvipc/shm; "
        f"ls -d /dev/shm/realservices.*; }} > {report} 2>/dev/null",
    ) as launched:
        # One that is paused does not end by itself when its launcher dies.
        with launched.control() as control:
            assert control.ask("pause", service="db") == {"ok": True}
        # The launcher's ids out here: below the enclosure, its first process, and the shell.
        [init] = children(launched.pid)
        [shell] = children(init)
        [launcher] = children(shell)
        guardian = os.pidfd_open(guardian_of(launcher))
        os.kill(launcher, signal.SIGKILL)
        assert select.select([guardian], [], [], DEADLINE_S)[0], "the guardian still runs"
        os.close(guardian)
        guardian_is_done.write_text("now\n", "utf-8")
        launched.wait()
    assert report.read_text("utf-8") == ""


@pytest.mark.parametrize(
    ("dropped", "message"),
    [
        ("SETUID", "without the capabilities SETUID. "),
        ("CHOWN", "without the capabilities CHOWN. "),
        ("KILL", "without the capabilities KILL. "),
        ("DAC_OVERRIDE", "without the capabilities DAC_OVERRIDE: user 65534 would not get past /"),
        ("ALL", "without the capabilities CHOWN, DAC_OVERRIDE, KILL, SETGID, SETUID"),
    ],
)
def test_root_without_capabilities_is_told_which(tmp_path: Path, template: Path, dropped: str, message: str) -> None:
    enclosure = ["--container", "--drop", dropped, *_PRIVATE]
    with Launched(tmp_path / "run", [postgres()], template=template, enclosure=enclosure) as launched:
        assert launched.wait() == 1
        assert "Traceback" not in launched.output
        assert "service 'db' (//app:db) could not be started: " in launched.output
        assert "root cannot become another user " + message in launched.output
        assert "(in a container: docker run --user)" in launched.output


def test_programs_that_only_root_reaches_take_another_capability(tmp_path: Path, template: Path) -> None:
    enclosure = ["--container", "--drop", "SETPCAP", *_PRIVATE]
    enclosure += ["--bind", f"{places.postgres_distribution()}=SHORT/distribution"]
    launched = Launched(tmp_path / "run", [postgres()], template=template, enclosure=enclosure)
    launched.short.chmod(0o700)
    with launched:
        assert launched.wait() == 1
        message = (
            f"without the capabilities SETPCAP: user 65534 would not get past {launched.short} (mode 0700, of user 0)"
        )
        assert message in launched.output


def test_root_that_may_not_map_itself_needs_no_capability(tmp_path: Path, template: Path) -> None:
    # As where a container's capabilities are all dropped, but its kernel grants user namespaces.
    with Launched(
        tmp_path / "run", [postgres()], template=template, enclosure=["--drop", "ALL", "--pid", *_PRIVATE]
    ) as launched:
        _assert_data_outlives_restarts(launched)
        assert launched.finish() == 0
        assert launched.written("warnings").startswith(f"{_SLOWER}root without the capability SETFCAP")


def test_root_that_can_become_nobody_else_is_told_so(tmp_path: Path, template: Path) -> None:
    # As in a sandbox with one user id and a kernel without user namespaces.
    enclosure = ["--no-user-namespaces", *_PRIVATE]
    with Launched(tmp_path / "run", [postgres()], template=template, enclosure=enclosure) as launched:
        assert launched.wait() == 1
        assert "Traceback" not in launched.output
        assert "service 'db' (//app:db) could not be started: " in launched.output
        assert "PostgreSQL refuses to run as root" in launched.output
        assert "root cannot become another user here (Invalid argument)" in launched.output
        assert "run the tests as another user" in launched.output


def test_an_overlay_that_is_refused_means_a_copy(tmp_path: Path, template: Path) -> None:
    # A colon parts the lower directories of an overlay, so that the kernel finds none of the two.
    env = {"REALSERVICES_REGISTRY": str(tmp_path / "with:colon")}
    # Also for the root of a sandbox with one user id, who could not do without a namespace.
    with Launched(tmp_path / "run", [postgres()], template=template, env=env, enclosure=["--uid", "0"]) as launched:
        _assert_data_outlives_restarts(launched)
        assert launched.finish() == 0
        assert launched.written("warnings").startswith(_SLOWER)
        assert "mount overlay" in launched.written("warnings")
        assert launched.written("warnings").count("\n") == 1


def test_a_template_whose_name_another_user_has_taken_means_a_copy(tmp_path: Path, template: Path) -> None:
    digest = hashlib.sha256((template / "db.tar").read_bytes()).hexdigest()
    taken = tmp_path / "registry" / "templates" / digest
    taken.mkdir(parents=True)
    env = {"REALSERVICES_REGISTRY": str(tmp_path / "registry")}
    # As if it were another user's: others may write to it, and it cannot be removed.
    enclosure = ["--uid", "1000", "--tmpfs", str(taken)]
    with Launched(tmp_path / "run", [postgres()], template=template, env=env, enclosure=enclosure) as launched:
        assert sql(launched.endpoints["db"]["url"], "SELECT name FROM items") == "seeded"
        assert launched.finish() == 0
        assert launched.written("warnings") == (
            f"{_SLOWER}[Errno 17] this name is taken by what is not a directory of this user alone; remove it: '{taken}'\n"
        )


def test_a_damaged_template_is_a_fault_of_the_machine(tmp_path: Path, template: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "db.json").write_bytes((template / "db.json").read_bytes())
    content = bytearray((template / "db.tar").read_bytes())
    content[content.index(b"seeded")] ^= 1
    (damaged / "db.tar").write_bytes(content)
    env = {"REALSERVICES_REGISTRY": str(tmp_path / "registry")}
    with Launched(tmp_path / "run", [postgres()], template=damaged, env=env) as launched:
        assert launched.wait() == 1
        assert "Traceback" not in launched.output
        reason = f"the archive of a template is not unpacked: {damaged}/db.tar: its SHA-256 is "
        assert f"service 'db' (//app:db) could not be started: {reason}" in launched.output
        assert launched.written("infrastructure_failure").startswith(f"templates\n{reason}")
    assert not [path for path in (tmp_path / "registry" / "templates").iterdir() if path.is_dir()]


@pytest.mark.parametrize("uid", ["0", "1000"])
@pytest.mark.parametrize("size", ["8m", "64k"])
def test_little_shared_memory_means_a_copy_on_disk(tmp_path: Path, template: Path, size: str, uid: str) -> None:
    enclosure = ["--uid", uid, "--tmpfs", f"/dev/shm={size}"]
    with Launched(tmp_path / "run", [postgres(), redis()], template=template, enclosure=enclosure) as launched:
        assert sql(launched.endpoints["db"]["url"], "SELECT name FROM items") == "seeded"
        sandbox = Path(launched.program.environment["REALSERVICES_SANDBOX"])
        assert (sandbox / "db.data" / "PG_VERSION").exists()
        assert launched.finish() == 0
        assert launched.written("warnings").startswith(f"{_SLOWER}[Errno 28] ")
        assert "MB for a template do not fit" in launched.written("warnings")
        assert not sandbox.exists()


def test_no_shared_memory_at_all(tmp_path: Path, template: Path) -> None:
    enclosure = ["--uid", "1000", "--bind", f"{_closed(tmp_path)}=/dev/shm"]
    registry = tmp_path / "registry"
    with Launched(
        tmp_path / "run", [postgres(), redis()], template=template, enclosure=enclosure,
        env={"REALSERVICES_REGISTRY": str(registry)},
    ) as launched:  # fmt: skip
        assert sql(launched.endpoints["db"]["url"], "SELECT name FROM items") == "seeded"
        assert launched.finish() == 0
        assert launched.written("warnings") == ""


def test_nowhere_to_put_anything_is_a_fault_of_the_machine(tmp_path: Path) -> None:
    closed = _closed(tmp_path)
    enclosure = ["--uid", "1000", "--bind", f"{closed}=/dev/shm", "--bind", f"{closed}=/var/tmp"]
    with Launched(
        tmp_path / "run", [redis()], enclosure=enclosure, env={"REALSERVICES_REGISTRY": "/proc/none"}
    ) as launched:
        assert launched.wait() == 1
        assert "Traceback" not in launched.output
        assert launched.written("infrastructure_failure").startswith("registry\n")


def _capabilities(pid: int) -> dict[str, int]:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines())
    return {name: int(lines[name], 16) for name in ("CapPrm", "CapEff", "CapAmb")}


def test_what_cannot_be_removed_is_a_warning(tmp_path: Path) -> None:
    script = '#!/bin/sh\nmkdir "$TMPDIR/mounted" && mount -t tmpfs none "$TMPDIR/mounted" && touch "$TMPDIR/file"\n'
    with Launched(tmp_path / "run", [redis()], script=script, enclosure=["--uid", "0"]) as launched:
        assert launched.wait() == 0, launched.output
    assert re.fullmatch(
        r"cannot remove /\S+/scratch\.\w+: Device or resource busy: mounted\n", launched.written("warnings")
    ), launched.written("warnings")
    (left,) = (tmp_path / "run" / "tmp").glob("scratch.*/tmp/*")
    assert left.name == "mounted"


def _assert_data_outlives_restarts(launched: Launched) -> None:
    url = launched.endpoints["db"]["url"]
    with launched.control() as control:
        for operation in ("stop", "kill"):
            sql(url, f"INSERT INTO items (name) VALUES ('{operation}')")
            assert control.ask(operation, service="db") == {"ok": True}
            assert control.ask("start", service="db") == {"ok": True}
            assert control.ask("wait") == {"ok": True}
    assert sql(url, "SELECT string_agg(name, ' ' ORDER BY id) FROM items") == "seeded stop kill"
