"""A service's log in the launcher: lines as they come, little memory whatever comes, and a full disk that costs no test."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from realservices.launcher.service_log import ServiceLog
from tests.host import places

_MB = 1 << 20
_KEPT = 65536


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ServiceLog]:
    """Return a log whose pipe is open."""
    log = ServiceLog(str(tmp_path / "db.log"))
    yield log
    log.close()


def _write(log: ServiceLog, content: bytes) -> list[str]:
    """Let a service write, and the launcher read; return the lines that it saw."""
    output = log.open()
    lines: list[str] = []
    left = memoryview(content)
    os.set_blocking(output, False)
    while left:
        left = left[os.write(output, left) :]
        while found := log.read():
            lines += found
        log.drain()
    os.close(output)
    while (found := log.read()) is not None:
        lines += found
    return lines


def test_lines_come_whole_however_they_are_cut(tmp_path: Path) -> None:
    seen: list[str] = []
    log = ServiceLog(str(tmp_path / "db.log"), seen.extend)
    output = log.open()
    for piece in (b"one", b" line\nan", b"other\n\n", b"\xff\nno end"):
        os.write(output, piece)
        log.read()
    assert seen == ["one line", "another", "", "�"]
    assert log.tail() == [*seen, "no end"]
    assert log.warning == ""
    os.close(output)
    log.close()


def test_what_is_left_in_the_pipe_is_taken_to_its_end(log: ServiceLog) -> None:
    # More than one read, and no line in the first ones.
    output = log.open()
    os.set_blocking(output, False)
    written = os.write(output, b"x" * (_MB - 1)) if _pipe_size(output) >= _MB else os.write(output, b"x" * 60000)
    os.close(output)
    log.drain()
    assert Path(log.path).stat().st_size == written


def _pipe_size(output: int) -> int:
    try:
        return fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, _MB)
    except OSError:
        return 0


@pytest.mark.parametrize("size", [10 * _MB, 40 * _MB])
def test_a_line_of_many_megabytes_is_in_the_file_and_not_in_memory(log: ServiceLog, size: int) -> None:
    # What is held does not grow with the line, so neither does the time that each further piece of it takes.
    content = b"x" * size + b"\nend\n"
    tracemalloc.start()
    try:
        _write(log, content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < _MB
    assert Path(log.path).stat().st_size == len(content)
    long, end = log.tail()
    assert long == "x" * _KEPT + f" … (and {size - _KEPT} more bytes in this line)"
    assert end == "end"


_ON_A_FULL_DISK = """
import os, sys
from realservices.launcher.service_log import ServiceLog
log = ServiceLog("/dev/shm/db.log")
def write(text):
    output = log.open()
    os.write(output, text)
    os.close(output)
    log.drain()
    log.close()
for number in range(100):
    write(b"%04d " % number + b"x" * 9994 + b"\\n")
os.unlink("/dev/shm/filling")
write(b"there is room again\\n")
content = open("/dev/shm/db.log", "rb").read()
assert content.endswith(b"there is room again\\n")
assert log.tail()[-2] == "there is room again"
print(log.tail()[-1])
print(log.warning)
print(100 * 10000 + 20 - len(content))
"""


@pytest.mark.parametrize("shape", ["/dev/shm=64k", "/dev/shm=64k,nr_inodes=2"])
def test_a_full_disk_costs_what_does_not_fit(shape: str) -> None:
    enclosure = Path(__file__).absolute().parent.parent / "host" / "enclosure.py"
    options = ["--tmpfs", shape, "--fill", "/dev/shm"]
    done = subprocess.run(
        [sys.executable, str(enclosure), *options, "--", sys.executable, "-c", _ON_A_FULL_DISK],
        env={"PYTHONPATH": str(places.PACKAGE_ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown, warning, lost = done.stdout.splitlines()
    assert int(lost) > 900_000
    assert shown == f"({lost} bytes of what it wrote were lost: No space left on device)"
    assert warning == f"db.log is not whole: {lost} bytes of what it wrote were lost: No space left on device"
