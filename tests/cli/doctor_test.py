"""`doctor`: what it says on machines that lack something, and that it leaves none of them changed."""

from __future__ import annotations

import os
import pty
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from realservices.host.blocks import BLOCK_SIZE
from realservices.host.slots import acquire_slot
from tests.cli.command import PRIVATE, Outcome, run
from tests.host import places

_USER = ("--uid", "1000", *PRIVATE)


def _servers() -> dict[str, str]:
    return {
        "REALSERVICES_POSTGRES": str(places.postgres_distribution()),
        "REALSERVICES_REDIS": str(places.redis_server()),
    }


def _doctor(*enclosure: str, env: dict[str, str] | None = None, before: str = "", after: str = "") -> Outcome:
    return run("doctor", "--json", enclosure=enclosure, env=env, before=before, after=after)


def _verdicts(outcome: Outcome) -> dict[str, str]:
    checks = outcome.content["checks"]
    return {check["id"]: check["verdict"] for check in checks if not check["id"].startswith("client.")}


@pytest.mark.parametrize("uid", ["0", "1000", "65534"])
def test_a_good_machine_gets_no_complaint(uid: str) -> None:
    outcome = _doctor("--uid", uid, *PRIVATE, env=_servers())
    assert set(_verdicts(outcome).values()) == {"ok"}, outcome.output
    assert outcome.code == 0
    assert outcome.errors == ""
    assert outcome.finding("server.postgres")["found"].startswith("PostgreSQL 1")
    assert "started and answered in" in outcome.finding("server.redis")["found"]
    assert outcome.finding("overlayfs")["found"].startswith("mounted and written to in")


def test_without_loopback() -> None:
    outcome = _doctor("--uid", "1000", "--no-loopback")
    found = outcome.finding("loopback")
    assert found["verdict"] == "error"
    assert found["found"].startswith("127.0.0.1 cannot be used: ")
    assert found["meaning"] == "All services listen on 127.0.0.1 and nowhere else: no test reaches one."
    assert found["remedy"].startswith("sudo ip link set lo up")
    assert outcome.code == 1


def test_without_user_namespaces_a_user_has_slower_starts() -> None:
    # nobody: initdb wants a user that the machine has a name for, and cannot change its own here.
    outcome = _doctor("--uid", "65534", *PRIVATE, "--no-user-namespaces", env=_servers())
    found = outcome.finding("namespaces")
    assert found["verdict"] == "warning"
    assert found["found"].startswith("refused: ")
    assert "PostgreSQL runs on a private copy of its template: about 30 ms more" in found["meaning"]
    assert "sudo sysctl -w user.max_user_namespaces=15000" in found["remedy"]
    assert outcome.finding("overlayfs")["found"] == "not tried, because of the line above"
    assert outcome.finding("server.postgres")["verdict"] == "ok"
    assert outcome.code == 0


def test_without_user_namespaces_root_has_no_postgres() -> None:
    # One id only: root here cannot become anybody else.
    outcome = _doctor("--uid", "0", *PRIVATE, "--no-user-namespaces", env=_servers())
    found = outcome.finding("namespaces")
    assert found["verdict"] == "error"
    assert "and root cannot become another user" in found["found"]
    assert found["meaning"].startswith("PostgreSQL refuses to run as root")
    assert outcome.finding("server.postgres")["verdict"] == "error"
    assert outcome.finding("server.redis")["verdict"] == "ok"
    assert outcome.code == 1


def test_root_in_a_container_that_lacks_a_capability() -> None:
    outcome = _doctor(*PRIVATE, "--container", "--drop", "CHOWN", env=_servers())
    found = outcome.finding("namespaces")
    assert found["verdict"] == "error"
    assert found["found"].endswith("; and root cannot become another user without the capabilities CHOWN")
    assert "give root the capabilities that containers have by default (no --cap-drop)" in found["remedy"]
    found = outcome.finding("server.postgres")
    assert found["verdict"] == "error"
    assert "root cannot become another user without the capabilities CHOWN. Either run the tests as" in found["found"]
    assert outcome.code == 1


def test_root_without_capabilities_has_user_namespaces() -> None:
    outcome = _doctor(*PRIVATE, "--drop", "ALL", env=_servers())
    assert outcome.finding("namespaces")["verdict"] == "ok"
    assert outcome.finding("overlayfs")["verdict"] == "warning"
    assert outcome.finding("server.postgres")["verdict"] == "ok"


def test_with_full_shared_memory() -> None:
    enclosure = ("--uid", "1000", "--net", "--tmpfs", "/tmp", "--tmpfs", "/dev/shm=1m", "--fill", "/dev/shm")
    outcome = _doctor(*enclosure, env=_servers())
    found = outcome.finding("shared_memory")
    assert found["verdict"] == "warning"
    assert found["found"] == "0 bytes of 1.0 MB free; writing 64 KB: No space left on device"
    assert "each PostgreSQL unpacks a private copy of its template onto disk" in found["meaning"]
    assert "docker run --shm-size=2g" in found["remedy"]
    # A cluster can be made all the same.
    assert outcome.finding("server.postgres")["verdict"] == "ok"
    assert outcome.code == 0


def test_with_little_shared_memory() -> None:
    found = _doctor("--uid", "1000", "--tmpfs", "/dev/shm=64m").finding("shared_memory")
    assert (found["verdict"], found["found"]) == ("warning", "64 MB of 64 MB free")


def test_without_shared_memory_the_registry_lies_in_tmp(tmp_path: Path) -> None:
    closed = _closed(tmp_path)
    outcome = _doctor("--uid", "1000", "--bind", f"{closed}=/dev/shm", "--tmpfs", "/tmp")
    assert outcome.finding("shared_memory")["found"] == "not writable by this user"
    assert outcome.finding("shared_memory")["verdict"] == "warning"
    assert outcome.finding("registry")["found"] == "/tmp/realservices-1000"
    assert outcome.code == 0


def test_without_any_writable_place(tmp_path: Path) -> None:
    closed = _closed(tmp_path)
    outcome = _doctor(*(f"--bind={closed}={place}" for place in ("/dev/shm", "/var/tmp", "/tmp")), "--uid", "1000")
    for identity, found in {
        "registry": "cannot be made: /dev/shm: not writable; /tmp: not writable",
        "socket_paths": "none of /tmp, /dev/shm, /var/tmp can be written to",
    }.items():
        assert (outcome.finding(identity)["verdict"], outcome.finding(identity)["found"]) == ("error", found)
    assert outcome.code == 1


def test_a_registry_that_cannot_be_made() -> None:
    found = _doctor("--uid", "1000", env={"REALSERVICES_REGISTRY": "/proc/registry"}).finding("registry")
    assert (found["verdict"], found["found"]) == ("error", "cannot be made: /proc: not writable")


def test_nothing_is_left() -> None:
    # But this user's own directory, which is empty.
    after = """
import os
kept = {"realservices-1000", *os.environ["ENCLOSURE_KEPT"].split(":")}
left = [name for place in ("/tmp", "/dev/shm") for name in os.listdir(place) if name not in kept]
left += [name for place in ("/tmp", "/dev/shm") if os.path.exists(own := f"{place}/realservices-1000") for name in os.listdir(own)]
assert left == [], left
"""
    outcome = _doctor(*_USER, env=_servers(), after=after)
    assert (outcome.code, outcome.errors) == (0, "")


# Ports


def test_a_range_that_is_none() -> None:
    outcome = _doctor(env={"REALSERVICES_PORT_RANGE": "many"})
    found = outcome.finding("ports")
    assert found["verdict"] == "error"
    assert found["found"].startswith("REALSERVICES_PORT_RANGE='many' is not a range of ports")
    assert outcome.code == 1


def test_a_foreign_listener_on_the_only_block() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        base = port - port % BLOCK_SIZE
        found = _doctor(env={"REALSERVICES_PORT_RANGE": f"{base}-{base + BLOCK_SIZE - 1}"}).finding("ports")
    assert found["verdict"] == "error"
    assert ": 0 of 1 blocks of 16 are free, 1 with other listeners (" in found["found"]
    assert str(port) in found["found"]


def test_a_block_that_a_launcher_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALSERVICES_REGISTRY", str(tmp_path))
    slot = acquire_slot(1)
    base = slot.ports[0] - slot.ports[0] % BLOCK_SIZE
    found = _doctor(env={"REALSERVICES_PORT_RANGE": f"{base}-{base + BLOCK_SIZE - 1}"}).finding("ports")
    slot.release()
    assert found["verdict"] == "error"
    assert ": 0 of 1 blocks of 16 are free, 1 held by launchers" in found["found"]


def test_a_range_that_the_kernel_uses_too() -> None:
    first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()
    found = _doctor(env={"REALSERVICES_PORT_RANGE": f"{int(first) - 16000}-{last}"}).finding("ports")
    assert found["verdict"] == "warning"
    assert f"outgoing connections use {first}-{last}, too" in found["found"]
    assert "net.ipv4.ip_local_reserved_ports" in found["remedy"]


# Limits and settings


def test_few_open_files() -> None:
    command = [sys.executable, "-m", "realservices", "doctor"]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        env = {"PYTHONPATH": str(places.command_line())}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    lines = done.stdout.splitlines()
    number = next(number for number, line in enumerate(lines) if "open files" in line)
    assert lines[number].startswith("warning    open files            256 (hard limit ")
    assert lines[number + 1].startswith("           Servers inherit this")
    assert lines[number + 2].startswith("           → ulimit -n ")


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        (
            "REALSERVICES_TEMPLATE_CACHE_MB",
            "lots",
            "REALSERVICES_TEMPLATE_CACHE_MB='lots' is not a whole number of megabytes from 0 to 16777216; correct it, or unset it",
        ),
        (
            "REALSERVICES_CACHE_MB",
            "²",
            "REALSERVICES_CACHE_MB='²' is not a whole number of megabytes from 0 to 16777216; correct it, or unset it",
        ),
        ("REALSERVICES_RUNTIME", "/gone.json", "REALSERVICES_RUNTIME=/gone.json: there is no such file"),
    ],
)
def test_a_setting_that_is_wrong(variable: str, value: str, complaint: str) -> None:
    found = _doctor(env={variable: value}).finding("settings")
    assert (found["verdict"], found["found"]) == ("error", complaint)
    assert found["remedy"].endswith(f"unset {variable}")


def test_settings_are_shown_and_secrets_are_not() -> None:
    env = {"REALSERVICES_REQUIRE": "1", "REALSERVICES_DB_URL": "postgresql://u:opensesame@h/d"}
    outcome = _doctor(env=env)
    assert outcome.finding("settings")["found"] == "REALSERVICES_REQUIRE=1"
    assert "opensesame" not in outcome.output


# Libraries and servers


def test_libraries_that_are_missing_or_old(tmp_path: Path) -> None:
    for name, version in (("asyncpg", "0.31.0"), ("redis", "4.6.0")):
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    # Before what the interpreter itself may have installed, which is not looked at.
    outcome = _doctor(env={"PYTHONPATH": str(tmp_path)})
    assert outcome.finding("client.asyncpg")["found"] == "0.31.0"
    assert outcome.finding("client.redis")["found"] == "4.6.0; 5.0.1 or newer is needed"
    assert outcome.finding("client.redis")["remedy"] == "pip install --upgrade 'redis>=5.0.1'"


def test_libraries_that_are_missing() -> None:
    command = [sys.executable, "-I", "-S", "-c"]
    program = "import sys; sys.path.append(sys.argv.pop(1)); from realservices.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [*command, program, str(places.command_line()), "doctor", "--json"],
        env={}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    missing = Outcome(done).finding("client.psutil")
    remedy = "pip install 'rules-realservices[optimization]'"
    assert missing["verdict"] == "ok"
    assert missing["found"] == f"not installed; only pools that adapt to the machine need it: {remedy}"


def test_servers_that_do_not_work(tmp_path: Path) -> None:
    broken = tmp_path / "redis-server"
    version = '[ "$1" = --version ] && echo v=7.2 && exit'
    broken.write_text(f"#!/bin/sh\n{version}\necho no such library >&2\nexit 1\n", "utf-8")
    broken.chmod(0o755)
    env = {"REALSERVICES_REDIS": str(broken), "REALSERVICES_POSTGRES": str(tmp_path)}
    outcome = _doctor(env=env)
    assert outcome.finding("server.redis")["found"] == f"{broken} does not work: it ended: no such library"
    assert outcome.finding("server.redis")["verdict"] == "error"
    postgres = outcome.finding("server.postgres")
    assert postgres["found"].startswith(f"REALSERVICES_POSTGRES={tmp_path}: it has no bin/postgres")
    assert postgres["verdict"] == "error"
    assert outcome.code == 1


def test_servers_are_named_by_options() -> None:
    postgres, redis = map(str, (places.postgres_distribution(), places.redis_server()))
    outcome = run("doctor", "--json", f"--postgres={postgres}", f"--redis={redis}", enclosure=_USER)
    assert outcome.finding("server.postgres")["found"].endswith(f"({postgres})")
    assert outcome.finding("server.redis")["found"].endswith(f"({redis})")


def test_services_of_others() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        env = {
            "TEST_REDIS_HOST": "127.0.0.1",
            "TEST_REDIS_PORT": str(listener.getsockname()[1]),
            "TEST_REDIS_PASSWORD": "opensesame",
            "TEST_POSTGRES_HOST": "127.0.0.1",
            "TEST_POSTGRES_PORT": "1",
            "TEST_HTTP_URL": "ftp://127.0.0.1",
        }
        outcome = _doctor(env=env)
    assert outcome.finding("attached.redis")["verdict"] == "ok"
    postgres = outcome.finding("attached.postgres")
    assert postgres["verdict"] == "error"
    assert postgres["found"] == "127.0.0.1:1 cannot be reached: Connection refused"
    assert postgres["remedy"].endswith("unset TEST_POSTGRES_HOST")
    assert outcome.finding("attached.http")["found"].startswith("TEST_HTTP_URL='ftp://127.0.0.1' is no URL of this")
    assert "opensesame" not in outcome.output
    assert outcome.code == 1


def test_leftovers_are_pointed_at() -> None:
    left = "/dev/shm/realservices-1000/memory.0123456789ab"
    before = f"import os; os.umask(0o077); os.makedirs('{left}'); open('{left}/file', 'w').write('x' * 2048)"
    found = _doctor(*_USER, before=before).finding("leftovers")
    assert found["verdict"] == "warning"
    assert found["found"] == f"1 of killed sessions, 2.0 KB: {left}"
    assert found["remedy"] == "python -m realservices clean"


# Bazel


def test_bazel_is_looked_at_on_request_only() -> None:
    assert "bazel" not in _verdicts(_doctor(*_USER))
    outcome = run("doctor", "--json", "--bazel", enclosure=_USER, env={"PATH": "/nonexistent"})
    assert outcome.finding("bazel")["found"] == "not found: no BAZEL, and neither bazel nor bazelisk on PATH"
    assert outcome.code == 1
    outcome = run("doctor", "--json", "--bazel=/bin/false", enclosure=_USER)
    assert outcome.finding("bazel")["found"].startswith("/bin/false does not work: ")


# How it is shown


def test_plain_text_where_there_is_no_terminal() -> None:
    outcome = run("doctor", enclosure=_USER)
    assert "\x1b" not in outcome.output + outcome.errors
    assert outcome.errors == ""
    assert outcome.output.splitlines()[0].startswith("ok         operating system      Linux ")
    assert " ok, " in outcome.output.splitlines()[-1]


@pytest.mark.parametrize(("env", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_and_progress_on_a_terminal(env: dict[str, str], is_coloured: bool) -> None:
    leader, follower = pty.openpty()
    variables = {"TERM": "xterm", "PYTHONPATH": str(places.command_line()), **env}
    command = [sys.executable, "-m", "realservices", "doctor"]
    with subprocess.Popen(command, env=variables, stdin=follower, stdout=follower, stderr=follower) as process:
        os.close(follower)
        shown = b""
        try:
            while part := os.read(leader, 65536):
                shown += part
        except OSError:
            pass  # How a terminal tells that nobody has its other side any more.
        process.wait(30)
    os.close(leader)
    assert (b"\x1b[32mok" in shown) is is_coloured
    assert (b"[1/" in shown) is (env.get("TERM") != "dumb")


def _closed(tmp_path: Path) -> Path:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    return closed
