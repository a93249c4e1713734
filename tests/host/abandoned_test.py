"""What killed launchers leave is ended by the next one that passes by, and nothing else is touched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.host import places

_ENCLOSURE = Path(__file__).absolute().parent / "enclosure.py"
# Of user 1000, with a /tmp and a shared memory of its own.
_MACHINE = ["--uid", "1000", "--tmpfs", "/tmp", "--tmpfs", "/dev/shm", "--tmpfs", "/var/tmp"]
_BEGIN = """
import os, signal, subprocess, sys
sys.path.insert(0, sys.argv[1])
from realservices.system.locks import make_locked_directory
from realservices.host.abandoned import remove_abandoned
from realservices.host.process_tags import tag_child, tag_children, tagged
from realservices.host.launcher_directories import LauncherDirectories
from realservices.system.directory_safety import SHORT_BASES
from realservices.system.user_directory import present_user_directories
from realservices.host.scratch import scratch_base

def killed(work):
    \"\"\"Do something in a process that is killed then.\"\"\"
    pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)

def pass_by():
    for directory in present_user_directories(SHORT_BASES):
        remove_abandoned(directory)

def left():
    return sorted(
        f"{directory}/{name}".partition("/realservices-1000/")[2]
        for base in ("/tmp", "/dev/shm") for each in os.listdir(base)
        if each not in os.environ["ENCLOSURE_KEPT"].split(":")
        for directory, _, files in os.walk(f"{base}/{each}") for name in files
    )
"""


def _on_a_machine(code: str, *options: str) -> str:
    command = [sys.executable, "-c", _BEGIN + code, str(places.PACKAGE_ROOT)]
    enclosed = [sys.executable, str(_ENCLOSURE), *_MACHINE, *options, "--", *command]
    done = subprocess.run(enclosed, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def test_the_next_launcher_removes_directories_and_processes_of_a_killed_one() -> None:
    code = """
def launch():
    directories = LauncherDirectories(); directories.create(); directories.create_memory()
    for path in directories.paths:
        open(f"{path}/file", "w").close()
    tag_children(directories.name)
    read_end, write_end = os.pipe()
    if not os.fork():
        tag_child(); os.setsid()
        os.execve("/bin/sleep", ["sleep", "1000"], {})
    os.close(write_end)
    os.read(read_end, 1)  # It returns when the other program runs, which holds no lock any more.
    with open("/tmp/name", "w") as file:
        file.write(directories.name)
killed(launch)
with open("/tmp/name") as file:
    name = file.read()
os.unlink("/tmp/name")
print(len(left()), len(tagged(name)))
pass_by()
print(len(left()), len(tagged(name)))
"""
    assert _on_a_machine(code, "--pid").splitlines() == ["3 1", "0 0"]


def test_one_that_runs_is_left_alone() -> None:
    code = """
directories = LauncherDirectories(); directories.create(); directories.create_memory()
for path in directories.paths:
    open(f"{path}/file", "w").close()
pass_by()
print(len(left()))
directories.remove()
print(len(left()))
"""
    assert _on_a_machine(code).splitlines() == ["3", "0"]


def test_a_session_lives_as_long_as_one_of_its_processes() -> None:
    code = """
from realservices.system.locks import share_locked_directory
from realservices.system.session_directory import make_session_directory, new_session_path
path = new_session_path()
held = make_session_directory(path)
other = share_locked_directory(path)
for descriptor in held:
    os.close(descriptor)
pass_by()
print(os.path.exists(path))
os.close(other)
pass_by()
print(os.path.exists(path))
"""
    assert _on_a_machine(code).splitlines() == ["True", "False"]


def test_one_that_is_being_made_is_left_alone() -> None:
    code = """
base = scratch_base()
os.mkdir(f"{base}/unfinished.run.0123456789ab")
os.mkdir(f"{base}/unfinished.run.0123456789ac"); os.utime(f"{base}/unfinished.run.0123456789ac", (0, 0))
pass_by()
print(os.listdir(base))
"""
    assert _on_a_machine(code) == "['unfinished.run.0123456789ab']\n"


def test_what_is_not_called_as_ours_is_left_alone() -> None:
    names = ("notes", "run.js", "run.0123456789AB", "run.0123456789abc", "session.of-mine", "rs.0123456789ab")
    code = f"""
base = scratch_base()
for name in {names}:
    os.mkdir(f"{{base}}/{{name}}"); os.utime(f"{{base}}/{{name}}", (0, 0))
for name in ("rs.js", "rs.0123456789ab", "rs-session.of-mine", "realservices.x", "run.0123456789ab"):
    for place in ("/tmp", "/dev/shm"):
        os.mkdir(f"{{place}}/{{name}}"); open(f"{{place}}/{{name}}/file", "w").close()
        os.utime(f"{{place}}/{{name}}", (0, 0))
pass_by()
print(sorted(os.listdir(base)) == sorted({names}), len(left()))
"""
    assert _on_a_machine(code) == "True 10\n"


@pytest.mark.parametrize("planted", ["a link", "a file", "open to others", "closed to this user"])
def test_a_name_that_is_taken_is_passed_over(planted: str) -> None:
    plant = {
        "a link": "os.mkdir('/tmp/elsewhere'); os.symlink('/tmp/elsewhere', '/tmp/realservices-1000')",
        "a file": "open('/tmp/realservices-1000', 'w').close()",
        "open to others": "os.mkdir('/tmp/realservices-1000'); os.chmod('/tmp/realservices-1000', 0o777)",
        "closed to this user": "os.mkdir('/tmp/realservices-1000', 0o000)",
    }
    code = f"""
{plant[planted]}
directories = LauncherDirectories(); directories.create()
print(directories.private.startswith("/tmp/realservices-1000-1/run."))
directories.remove()
"""
    assert _on_a_machine(code) == "True\n"


def test_a_place_where_others_may_rename_is_passed_over() -> None:
    code = """
os.mkdir("/tmp/open"); os.chmod("/tmp/open", 0o777)
from realservices.system.user_directory import user_directory
from realservices.contract.errors import InfrastructureError
print(user_directory(("/tmp/open", "/dev/shm"), component="", purpose="", remedy=""))
try:
    user_directory(("/tmp/open", "/tmp/gone"), component="directories", purpose="files", remedy="make room")
except InfrastructureError as error:
    print(error)
"""
    assert _on_a_machine(code).splitlines() == [
        "/dev/shm/realservices-1000",
        "no directory for files: /tmp/open: mode 0777: every user may rename what is in it (chmod +t /tmp/open); "
        "/tmp/gone: No such file or directory; make room",
    ]


def test_the_id_that_a_sandbox_gave_the_user_is_this_user_too() -> None:
    # `bazel test --sandbox_fake_username`, with shared memory that all sandboxes see.
    as_nobody = "import os; os.mkdir('/dev/shm/realservices-65534', 0o700); os.mkdir('/dev/shm/realservices-65534/memory.0123456789ab')"
    code = f"""
subprocess.run([sys.executable, "-c", {as_nobody!r}], check=True)
pass_by()
print(os.listdir("/dev/shm/realservices-65534"))
"""
    assert _on_a_machine(code) == "[]\n"
