"""What a PostgreSQL runs in: namespaces of its own, and in them a tmpfs and an overlay of its template.

Tried for real, in a child that ends at once. Sources: user_namespaces(7), and apparmor's and Docker's own documentation
of what they forbid.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from realservices.cli.checks.finding import Finding, Verdict, error, warning
from realservices.cli.checks.scratch_directory import scratch_directory
from realservices.host import namespaces
from realservices.host.libc import libc
from realservices.host.namespaces import UNPRIVILEGED_ID
from realservices.host.privileges import become_unprivileged, obstacle
from realservices.system.directory_safety import SHARED_MEMORY, SHORT_BASES

if TYPE_CHECKING:
    from collections.abc import Callable

_CLONE_NEWUSER = 0x10000000
_COPY = "PostgreSQL runs on a private copy of its template: about 30 ms more for each test action"
_LEFT = "; a server that is killed is cleaned up by the guardian process, not by the kernel"
# Kernel settings that refuse user namespaces, what they have to be, and the command that sets them.
_SWITCHES = {
    "/proc/sys/user/max_user_namespaces": ("0", "sudo sysctl -w user.max_user_namespaces=15000"),
    "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
}


def check_namespaces() -> list[Finding]:
    """Fork into namespaces and mount there what a server needs."""
    if sys.platform != "linux":
        return [Finding("namespaces", "namespaces", f"not needed on {sys.platform}")]
    begin = time.monotonic()
    refusal = _refusal_in_namespaces(lambda: None)
    elapsed_ms = (time.monotonic() - begin) * 1000
    if refusal:
        return [_no_namespaces(refusal), _not_tried("tmpfs"), _not_tried("overlayfs")]
    made = Finding("namespaces", "namespaces", f"user, mount, process and IPC namespace made in {elapsed_ms:.0f} ms")
    return [made, *_check_mounts()]


def _check_mounts() -> list[Finding]:
    # Where the launcher has them: templates in the registry, mount points in its private directory.
    with scratch_directory(SHARED_MEMORY, *SHORT_BASES) as lower, scratch_directory(*SHORT_BASES) as mount_point:
        Path(lower, "base").mkdir()
        begin = time.monotonic()
        refusal = _refusal_in_namespaces(lambda: _write_on_overlay(f"{lower}/base", mount_point))
        elapsed_ms = (time.monotonic() - begin) * 1000
        is_untouched = not os.listdir(f"{lower}/base")
    if "mount tmpfs" in refusal:
        return [_no_mount("tmpfs", refusal), _not_tried("overlayfs")]
    tmpfs = Finding("tmpfs", "tmpfs in it", "mounted")
    if refusal or not is_untouched:
        return [tmpfs, _no_mount("overlayfs", refusal or "what was written went into the directory below")]
    return [tmpfs, Finding("overlayfs", "overlayfs in it", f"mounted and written to in {elapsed_ms:.0f} ms")]


def _write_on_overlay(lower: str, mount_point: str) -> None:
    merged = namespaces.mount_overlay(lower, mount_point)
    os.close(os.open(f"{merged}/written", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _refusal_in_namespaces(work: Callable[[], None]) -> str:
    """Do something in namespaces of its own; return why that is not possible, or ""."""
    if not namespaces.are_namespaces_possible():
        return "this kernel has no user namespaces, or this processor's clone(2) is not known"
    uid, gid = os.geteuid(), os.getegid()

    def mapped() -> None:
        namespaces.map_user(uid, gid)
        work()

    try:
        return _refusal_in_child(namespaces.fork_into_namespaces, mapped)
    except OSError as refused:
        return str(refused)


def _refusal_in_child(fork: Callable[[], int], work: Callable[[], None]) -> str:
    """Do something in a child; return the message of the OSError that it ends with, or ""."""
    read_end, write_end = os.pipe()
    try:
        pid = fork()
        if pid == 0:
            _work_and_exit(work, write_end)
        os.close(write_end)
        write_end = -1
        with os.fdopen(os.dup(read_end), "rb") as pipe:
            message = pipe.read().decode()
        os.waitpid(pid, 0)
        return message
    finally:
        os.close(read_end)
        if write_end >= 0:
            os.close(write_end)


def _work_and_exit(work: Callable[[], None], write_end: int) -> None:
    try:
        work()
    except BaseException as refused:  # noqa: BLE001 - the child must end here whatever happens
        os.write(write_end, str(refused).encode() or type(refused).__name__.encode())
    finally:
        os._exit(0)


def _no_namespaces(refusal: str) -> Finding:
    """Explain a kernel that refuses; root is worse off than others, as PostgreSQL does not run as root."""
    found = f"refused: {refusal}" + ("" if _refuses_user_namespaces() else " (user namespaces alone are had)")
    remedy = _remedy()
    if os.geteuid() != 0:
        return warning("namespaces", "namespaces", found, meaning=f"{_COPY}{_LEFT}.", remedy=remedy)
    if stuck := _obstacle():
        return error(
            "namespaces", "namespaces", f"{found}; and {stuck}",
            meaning="PostgreSQL refuses to run as root, so it does not start here at all. Redis does.",
            remedy="Run the tests as another user (in a container: docker run --user), or give root the capabilities "
            f"that containers have by default (no --cap-drop), or: {remedy}",
        )  # fmt: skip
    return warning(
        "namespaces", "namespaces", found, meaning=f"{_COPY}, as user {UNPRIVILEGED_ID}{_LEFT}.", remedy=remedy
    )


def _obstacle() -> str:
    """Return why root cannot become another user, or ""."""
    refusal = _refusal_in_child(os.fork, become_unprivileged)
    return obstacle() or (f"root cannot become another user: {refusal}" if refusal else "")


def _no_mount(name: str, refusal: str) -> Finding:
    return warning(
        name, f"{name} in it", f"refused: {refusal}", meaning=f"{_COPY}.",
        remedy="Use Linux 5.11 or newer"
        + (", and load the module: sudo modprobe overlay" if name == "overlayfs" else "")
        + ". In a container: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined",
    )  # fmt: skip


def _not_tried(name: str) -> Finding:
    return Finding(name, f"{name} in it", "not tried, because of the line above", Verdict.WARNING)


def _refuses_user_namespaces() -> bool:
    def unshare() -> None:
        if libc.unshare(_CLONE_NEWUSER) != 0:
            raise OSError("refused")

    return bool(_refusal_in_child(os.fork, unshare))


def _remedy() -> str:
    commands = []
    for path, (bad, command) in _SWITCHES.items():
        try:
            if Path(path).read_text("ascii").strip() == bad:
                commands.append(command)
        except OSError:
            continue  # Not a switch of this kernel.
    return "; ".join(commands) or "In a container: docker run --security-opt seccomp=unconfined"
