"""What the kernel's errors are in words: the resource, how much there is of it, and the remedy."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from realservices.system.os_errors import explain, explain_thread, is_lack
from tests.host import places

_ENCLOSURE = Path(__file__).absolute().parents[1] / "host" / "enclosure.py"


def _error(number: int, *filenames: str) -> OSError:
    first, *second = filenames or ("",)
    return OSError(number, os.strerror(number), first or None, None, *second)


def test_a_full_file_system_is_described_by_the_nearest_directory_that_is_there(tmp_path: Path) -> None:
    path = f"{tmp_path}/not/there/yet"
    error = explain(_error(errno.ENOSPC, path), "cannot make it")
    assert error.component == "disk"
    beginning, _, rest = str(error).partition("; make room there ")
    assert beginning.startswith(f"cannot make it: No space left on device: the file system of {path}: ")
    assert " are free" in beginning
    assert rest == "(`python -m realservices clean` removes what killed sessions left)"


def test_shared_memory_has_a_remedy_of_its_own() -> None:
    assert str(explain(_error(errno.ENOSPC, "/dev/shm/x"), "x")).endswith("(docker run --shm-size=1g)")


def test_of_two_files_the_one_that_was_to_be_made_is_named(tmp_path: Path) -> None:
    assert f"of {tmp_path}/new: " in str(explain(_error(errno.ENOSPC, "/proc/old", f"{tmp_path}/new"), "cannot rename"))


def test_where_the_kernel_names_no_file_and_nothing_is_full() -> None:
    assert str(explain(_error(errno.ENOSPC), "x")).startswith("x: No space left on device")


@pytest.mark.parametrize(
    ("number", "component", "words"),
    [
        (errno.EMFILE, "descriptors", "x: no file descriptor is left: RLIMIT_NOFILE is {nofile}"),
        (errno.ENFILE, "descriptors", "x: the machine has no open file left (sysctl fs.file-max)"),
        (errno.EAGAIN, "processes", "x: no further process or thread can be started: RLIMIT_NPROC is {nproc}"),
        (errno.ENOMEM, "memory", "x: no memory is left; end programs"),
        (errno.EROFS, "disk", "x: /a/file lies on a read-only file system; mount it writable"),
        (errno.EDQUOT, "disk", "x: the quota of user {uid} on the file system of /a/file is used up; "),
        (errno.EACCES, "permissions", "x: no permission for /a/file, as user {uid}"),
        (errno.EIO, "machine", "x: Input/output error: /a/file"),
    ],
)
def test_each_resource_has_words(number: int, component: str, words: str) -> None:
    error = explain(_error(number, "/a/file"), "x")
    assert error.component == component
    limits = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[0] for name in ("nofile", "nproc")}
    shown = {name: "unlimited" if value == resource.RLIM_INFINITY else value for name, value in limits.items()}
    assert str(error).startswith(words.format(uid=os.geteuid(), **shown))
    assert is_lack(_error(number)) is (component not in ("permissions", "machine"))


def test_who_may_write_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert str(explain(_error(errno.EACCES, str(tmp_path)), "x")) == (
        f"x: no permission for {tmp_path}, as user {os.geteuid()}; it belongs to user {os.geteuid()} and has mode 500"
    )


def test_a_thread_that_cannot_be_started() -> None:
    assert explain_thread("x").component == "processes"


def test_a_file_that_the_beginning_names_is_not_named_again() -> None:
    assert str(explain(_error(errno.ENOENT, "/a/file"), "cannot make /a/file")) == (
        "cannot make /a/file: No such file or directory"
    )


def test_a_place_that_has_room_and_is_not_used_is_named() -> None:
    # As where Kubernetes mounts a directory of its own on /tmp.
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); os.chmod('/tmp', 0o777)\n"
        "from realservices.system.os_errors import explain\n"
        "print(explain(OSError(28, 'No space left on device', '/dev/shm/data'), 'cannot copy'))"
    )
    command = [sys.executable, str(_ENCLOSURE), "--uid", "1000", "--tmpfs", "/tmp", "--", sys.executable, "-c", code]
    done = subprocess.run([*command, str(places.PACKAGE_ROOT)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.endswith("; /tmp is not used: mode 0777: every user may rename what is in it (chmod +t /tmp)\n")
