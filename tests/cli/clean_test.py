"""`clean`: removes what nobody holds, and nothing else."""

from __future__ import annotations

import re

import pytest

from tests.cli.command import PRIVATE, Outcome, run

_HERE = ("--uid", "1000", *PRIVATE)
# What the scenes have in common. The process that runs one stays until the command has ended.
_TOOLS = """
import fcntl, json, os, socket, sys, time
def make(path, size=0, age=3600, lock=False):
    os.makedirs(path, exist_ok=True)
    os.chmod("/".join(path.split("/")[:4]) if path.startswith("/dev") else "/".join(path.split("/")[:3]), 0o700)
    with open(path + "/file", "w") as file:
        file.write("x" * size)
    os.utime(path, (time.time() - age,) * 2)
    return hold(path) if lock else None
def hold(path, how=fcntl.LOCK_EX):
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, how)
    return descriptor
"""
# Everything but this user's own directory itself, which stays.
_AFTER = """
for place in ("/tmp", "/dev/shm"):
    others = {"realservices-1000", *os.environ["ENCLOSURE_KEPT"].split(":")}
    found = [f"{place}/{name}" for name in os.listdir(place) if name not in others]
    if os.path.isdir(f"{place}/realservices-1000"):
        found += [f"{place}/realservices-1000/{name}" for name in os.listdir(f"{place}/realservices-1000")]
    print("LEFT", place, *sorted(found))
"""
_ID = "0123456789ab"
_RUN, _SESSION, _FILES = (f"/tmp/realservices-1000/{kind}.{_ID}" for kind in ("run", "session", "files"))
_MEMORY = f"/dev/shm/realservices-1000/memory.{_ID}"
_REGISTRY = "/dev/shm/realservices-1000"
_TEMPLATES = f"""
registry, cache = "{_REGISTRY}/templates/", "/tmp/cache/rules_realservices/templates/"
"""
_LIST_TEMPLATES = """
print("LEFT", "registry", *sorted(os.listdir(registry)))
print("LEFT", "cache", *sorted(os.listdir(cache)))
"""


def _clean(scene: str, *options: str) -> Outcome:
    return run("clean", *options, enclosure=_HERE, before=_TOOLS + scene, after=_AFTER)


def _left(outcome: Outcome) -> dict[str, list[str]]:
    words = [line.split() for line in outcome.output.splitlines() if line.startswith("LEFT ")]
    return {line[1]: line[2:] for line in words}


def test_nothing_to_remove() -> None:
    outcome = _clean("")
    assert "nothing to remove" in outcome.output.splitlines()
    assert (outcome.code, outcome.errors) == (0, "")


def test_what_killed_launchers_left_is_removed_and_told() -> None:
    outcome = _clean(
        f"make('{_RUN}', 1000); make('{_MEMORY}', 2048); make('{_SESSION}'); os.mkfifo('{_SESSION}/alive');"
        f"make('{_FILES}', 10)"
    )
    lines = outcome.output.splitlines()
    assert f"removed     2.0 KB  {_MEMORY}  (private copy in shared memory)" in lines
    assert f"removed  1000 bytes  {_RUN}  (directory of a launcher)" in lines
    assert f"removed    0 bytes  {_SESSION}  (directory of a session)" in lines
    assert f"removed   10 bytes  {_FILES}  (files of tests)" in lines
    assert "removed 4, 3.0 KB" in lines
    assert _left(outcome) == {"/tmp": [], "/dev/shm": []}
    assert (outcome.code, outcome.errors) == (0, "")


def test_a_dry_run_removes_nothing() -> None:
    outcome = _clean(f"make('{_RUN}', 1000)", "--dry-run")
    assert f"would remove  1000 bytes  {_RUN}  (directory of a launcher)" in outcome.output.splitlines()
    assert _left(outcome)["/tmp"] == [_RUN]


def test_what_is_locked_stays() -> None:
    outcome = _clean(
        f"held = [make('{_RUN}', lock=True), make('{_MEMORY}', 2048, lock=True), make('{_SESSION}', lock=True)]"
    )
    assert "nothing to remove; 3 in use, 2.0 KB, kept" in outcome.output.splitlines()
    assert _left(outcome) == {"/tmp": [_RUN, _SESSION], "/dev/shm": [_MEMORY]}


# A daemon of a launcher that was killed with its guardian: it has left its parent, and its environment.
_DAEMON = """
import subprocess
from realservices.host.process_tags import tag_this_process
if not os.fork():
    tag_this_process(RUN.rpartition(".")[2])
    os.setsid()
    os.execve("/bin/sleep", ["sleep", "1000"], {})
"""


@pytest.mark.parametrize("is_removed", [True, False])
def test_processes_that_outlived_their_launcher_are_ended(is_removed: bool) -> None:
    outcome = run(
        "clean",
        *([] if is_removed else ["--dry-run"]),
        enclosure=(*_HERE, "--pid"),
        before=f"{_TOOLS}RUN = '{_RUN}'; make(RUN)\n{_DAEMON}",
        after=f"from realservices.host.process_tags import tagged; print('LEFT', len(tagged('{_ID}'))){_AFTER}",
    )
    word = "removed  " if is_removed else "would remove  "
    (line,) = [line for line in outcome.output.splitlines() if "process of a launcher" in line]
    assert re.fullmatch(rf"{word}  0 bytes  process \d+ \(sleep\)  \(process of a launcher\)", line)
    left = _left(outcome)
    assert (left["0" if is_removed else "1"], left["/tmp"]) == ([], [] if is_removed else [_RUN])


def test_what_a_server_listens_in_stays() -> None:
    outcome = _clean(
        f"make('{_RUN}/db'); listener = socket.socket(socket.AF_UNIX);"
        f"listener.bind('{_RUN}/db/.s.PGSQL.1'); listener.listen()"
    )
    assert _left(outcome)["/tmp"] == [_RUN]


def test_what_has_just_been_made_stays() -> None:
    outcome = _clean(f"make('/tmp/realservices-1000/unfinished.run.{_ID}', age=0)")
    assert _left(outcome)["/tmp"] == [f"/tmp/realservices-1000/unfinished.run.{_ID}"]


def test_what_is_not_ours_stays() -> None:
    outcome = _clean(
        "names = ('rs.js', 'rs.my-backup', 'rs.0123456789ab', 'rs-session.of-mine', 'realservices.notes', 'rsync')\n"
        "for name in names:\n"
        "    for place in ('/tmp', '/dev/shm'):\n"
        "        make(f'{place}/{name}')\n"
        "make('/tmp/realservices-1000/notes'); make('/tmp/elsewhere')\n"
        f"os.symlink('/tmp/elsewhere', '{_RUN}')"
    )
    assert "nothing to remove" in outcome.output.splitlines()
    left = _left(outcome)
    assert len(left["/dev/shm"]) == 6
    assert len(left["/tmp"]) == 9


def test_a_live_launcher_and_a_killed_one() -> None:
    # Directories as the launcher makes them, in processes of their own.
    outcome = _clean(
        """
import subprocess
SANDBOX = '''
from realservices.host.launcher_directories import LauncherDirectories
import sys
directories = LauncherDirectories(); directories.create(); directories.create_memory()
print(directories.private, flush=True)
sys.stdin.read()
'''
def start():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", SANDBOX], text=True, **pipes)
    return process, process.stdout.readline().strip()
killed, lost = start()
alive, kept = start()  # Not the other way round: whoever begins ends what was left.
killed.kill(); killed.wait()
print("KEPT", kept, lost, flush=True)
"""
    )
    kept, lost = next(line.split()[1:] for line in outcome.output.splitlines() if line.startswith("KEPT "))
    assert f"  {lost}  (" in outcome.output
    memory = [path.replace("/tmp/", "/dev/shm/").replace("run.", "memory.") for path in (kept, lost)]
    assert f"  {memory[1]}  (" in outcome.output
    assert _left(outcome) == {"/tmp": [kept], "/dev/shm": [memory[0]]}
    assert "2 in use" in outcome.output


def test_locks_of_ports() -> None:
    slots = f"{_REGISTRY}/slots"
    outcome = _clean(
        f"os.makedirs('{slots}'); os.chmod('{_REGISTRY}', 0o700);"
        f"[open('{slots}/' + name, 'w').close() for name in ('10000', '10016')]; held = hold('{slots}/10016')",
        "--json",
    )
    content = outcome.output.partition("LEFT")[0]
    states = [line.split('"')[3] for line in content.splitlines() if '"path"' in line or '"state"' in line]
    assert states == [f"{slots}/10000", "removed", f"{slots}/10016", "in use"]


def test_marks_of_groups() -> None:
    groups = f"{_REGISTRY}/groups"
    outcome = _clean(
        f"os.makedirs('{groups}'); os.chmod('{_REGISTRY}', 0o700);"
        f"[open('{groups}/' + name, 'w').close() for name in ('killed', 'running')]; held = hold('{groups}/running')"
    )
    line = f"removed    0 bytes  {groups}/killed  (mark of a service_group or an `up`)"
    assert line in outcome.output.splitlines()
    assert "removed 1, 0 bytes; 1 in use, 0 bytes, kept" in outcome.output.splitlines()


def test_locks_of_warm_services() -> None:
    warm = f"{_REGISTRY}/warm"
    names = ("killed.sock.lock", "waiting.sock.lock")
    outcome = _clean(
        f"os.makedirs('{warm}'); os.chmod('{_REGISTRY}', 0o700);"
        f"[open('{warm}/' + name, 'w').close() for name in {names}]; held = hold('{warm}/{names[1]}')"
    )
    assert f"removed    0 bytes  {warm}/{names[0]}  (lock of warm services)" in outcome.output.splitlines()
    assert "removed 1, 0 bytes; 1 in use, 0 bytes, kept" in outcome.output.splitlines()


def test_discovery_files_of_the_project_that_one_stands_in() -> None:
    alive = "json.dumps({'port': 1, 'pid': os.getpid()})"
    outcome = run(
        "clean",
        enclosure=_HERE,
        before=f"""{_TOOLS}
make("/tmp/project/.service_discovery")
os.chdir("/tmp/project")
open("pyproject.toml", "w").close()
os.chdir(".service_discovery")
for name, content in (("killed", '{{"port": 1, "pid": 999999999}}'), ("alive", {alive}), ("foreign", '{{"port": 1}}')):
    with open(name + ".json", "w") as file:
        file.write(content)
for name in (".half.999999999", f".half.{{os.getpid()}}"):
    open(name, "w").close()
""",
        after='print("LEFT", ".", *sorted(os.listdir(".")))',
    )
    assert "/tmp/project/.service_discovery/killed.json  (discovery file in this project)" in outcome.output
    assert _left(outcome)["."][1:] == ["alive.json", "file", "foreign.json"]
    assert _left(outcome)["."][0].startswith(".half.")
    assert _left(outcome)["."][0] != ".half.999999999"


@pytest.mark.parametrize(("options", "is_kept"), [([], True), (["--templates"], False)])
def test_templates_go_on_request_only(options: list[str], is_kept: bool) -> None:
    scene = f"""{_TOOLS}{_TEMPLATES}
for directory in (registry, cache):
    for name in ("d1", "used"):
        make(directory + name, 1024)
        open(directory + name + ".lock", "w").close()
os.chmod("{_REGISTRY}", 0o700)
users = [hold(directory + "used.lock", fcntl.LOCK_SH) for directory in (registry, cache)]
"""
    env = {"XDG_CACHE_HOME": "/tmp/cache"}
    outcome = run("clean", *options, enclosure=_HERE, before=scene, after=_LIST_TEMPLATES, env=env)
    kept = [*(["d1", "d1.lock"] if is_kept else []), "used", "used.lock"]
    assert _left(outcome) == {"registry": kept, "cache": kept}
    assert ("removed 4, 2.0 KB; 2 in use, 2.0 KB, kept" in outcome.output.splitlines()) is not is_kept


def test_half_made_templates() -> None:
    scene = f"""{_TOOLS}{_TEMPLATES}
for directory, pid in ((registry, ".12"), (cache, "")):
    for name in ("d1", "busy"):
        make(directory + name + pid + ".partial")
    for path in ("d1.lock", "gone.lock", "gone.unpacking", "gone.building", "kept.lock"):
        open(directory + path, "w").close()
    make(directory + "kept")
os.chmod("{_REGISTRY}", 0o700)
for path in (registry + "busy.unpacking", cache + "busy.building"):
    open(path, "w").close()
makers = [hold(path) for path in (registry + "busy.unpacking", cache + "busy.building")]
"""
    env = {"XDG_CACHE_HOME": "/tmp/cache"}
    outcome = run("clean", enclosure=_HERE, before=scene, after=_LIST_TEMPLATES, env=env)
    assert _left(outcome) == {
        "registry": ["busy.12.partial", "busy.unpacking", "kept", "kept.lock"],
        "cache": ["busy.building", "busy.partial", "kept", "kept.lock"],
    }
    assert {"(unpacked template, half made)", "(built template, half made)", "(lock of a template that is gone)"} == {
        line.rpartition("  ")[2] for line in outcome.output.splitlines() if line.startswith("removed  ")
    }


def test_what_cannot_be_removed_is_an_error() -> None:
    # A mount point: not even its owner can remove it.
    scene = """
import ctypes
make("/tmp/realservices-0/run.0123456789ab")
libc = ctypes.CDLL(None)
assert libc.mount(b"tmpfs", b"/tmp/realservices-0/run.0123456789ab", b"tmpfs", 0, b"") == 0
"""
    outcome = run("clean", enclosure=("--uid", "0", *PRIVATE), before=_TOOLS + scene)
    assert (
        "CANNOT remove    0 bytes  /tmp/realservices-0/run.0123456789ab  (directory of a launcher): " in outcome.output
    )
    assert "Device or resource busy" in outcome.output
    assert outcome.code == 1
