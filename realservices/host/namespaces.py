"""Namespaces for one server: user, mount, IPC and process namespace, with an overlay of a ready data directory.

A server in here sees a writable copy of its template without a byte being copied, and leaves nothing behind: its
files live in a tmpfs that only its mount namespace knows, its SysV segments in its IPC namespace, its workers in its
process namespace. The kernel removes all of it with the first process, however that ends.

Sources: clone(2), user_namespaces(7), and the kernel's Documentation/filesystems/overlayfs.rst.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal

from realservices.host.libc import libc

_CLONE_NEWNS = 0x00020000
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_CLONE_PARENT = 0x00008000
_MS_NOSUID = 2
_MS_NODEV = 4
_MNT_DETACH = 2
# clone(2) takes its flags first on these machines; elsewhere the order of arguments differs, and fork serves instead.
_SYS_CLONE = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine)

# PostgreSQL refuses to run as root. 65534 is "nobody" on every Linux, so initdb finds a name for it.
UNPRIVILEGED_ID = 65534

# ctypes.CDLL would drop the interpreter lock around the call, and the child would wait for a thread it does not have.
_libc_with_lock = ctypes.PyDLL(None, use_errno=True)


def are_namespaces_possible() -> bool:
    """Return whether this kind of machine has what `fork_into_namespaces` needs; the kernel may still refuse."""
    return _SYS_CLONE is not None and os.path.exists("/proc/self/ns/user")


def fork_into_namespaces() -> int:
    """Fork a child into new user, mount, IPC and process namespaces; it is process 1 of its own.

    Raises:
        OSError: The kernel refuses (user namespaces switched off, or too many).
    """
    return _clone(_CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWIPC | _CLONE_NEWPID)


def enter_user_namespace() -> None:
    """Move this process into a user namespace of its own, as the unprivileged user.

    For build actions that are run as root, or as a user that the machine has no name for, both of which initdb refuses.

    Raises:
        OSError: The kernel refuses.
    """
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWIPC) != 0:
        raise _os_error("unshare")
    _write_maps((UNPRIVILEGED_ID, uid), (UNPRIVILEGED_ID, gid))


def enter_mount_namespace(*, is_unprivileged: bool) -> None:
    """Move this process into user, mount and IPC namespaces of its own, where it may mount.

    Args:
        is_unprivileged: Whether to be the unprivileged user there; else the same one as before.

    Raises:
        OSError: The kernel refuses; nothing has changed.
    """
    uid, gid = os.geteuid(), os.getegid()
    inner = (UNPRIVILEGED_ID, UNPRIVILEGED_ID) if is_unprivileged else (uid, gid)
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWIPC) != 0:
        raise _os_error("unshare")
    _write_maps((inner[0], uid), (inner[1], gid))


def fork_into_process_namespace() -> int:
    """Fork a child as process 1 of a new process namespace, so that its number is the same each time.

    Where the kernel grants no such namespace it is an ordinary child: one must have entered a user namespace before.

    Raises:
        OSError: There can be no more processes.
    """
    if _SYS_CLONE is not None:
        with contextlib.suppress(OSError):
            return _clone(_CLONE_NEWPID)
    return os.fork()


def open_namespaces(pid: int) -> list[int]:
    """Return descriptors of a child's user, mount and IPC namespace, which keep them and their files in being."""
    return [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("user", "mnt", "ipc")]


def fork_into_opened(descriptors: list[int]) -> int:
    """Fork a child into the namespaces that `open_namespaces` returned; it is process 1 of a new process namespace.

    Only children enter a new process namespace, so a helper in between joins the others and forks a sibling of itself.

    Raises:
        OSError: The kernel refuses.
    """
    read_end, write_end = os.pipe()
    helper = os.fork()
    if helper == 0:
        try:
            for descriptor in descriptors:
                if libc.setns(descriptor, 0) != 0:
                    os._exit(1)
            pid = _clone(_CLONE_NEWPID | _CLONE_PARENT)
        except OSError:
            os._exit(1)
        if pid == 0:
            return 0
        os.write(write_end, str(pid).encode())
        os._exit(0)
    os.close(write_end)
    answer = os.read(read_end, 32)
    os.close(read_end)
    os.waitpid(helper, 0)
    if not answer:
        raise OSError(errno.EPERM, "cannot join the namespaces of a server that was stopped")
    return int(answer)


def map_user(outer_uid: int, outer_gid: int) -> None:
    """Map the one user that this namespace has: to itself, or to an unprivileged id where the outer one is root."""
    inner = {0: UNPRIVILEGED_ID}
    _write_maps((inner.get(outer_uid, outer_uid), outer_uid), (inner.get(outer_gid, outer_gid), outer_gid))


def mount_overlay(lower: str, mount_point: str) -> str:
    """Mount a writable view of ``lower`` and return its path, which only this mount namespace sees.

    Args:
        lower: The ready directory; never written to.
        mount_point: An empty directory. It gets a tmpfs that holds all changes.

    Raises:
        OSError: tmpfs or overlayfs cannot be mounted here.
    """
    mount_tmpfs(mount_point)
    merged = f"{mount_point}/data"
    os.mkdir(merged, 0o700)
    mount_overlay_on(lower, merged, mount_point)
    return merged


def mount_tmpfs(mount_point: str, size_bytes: int = 0) -> None:
    """Mount memory on a directory, which only this mount namespace sees.

    Args:
        mount_point: The directory.
        size_bytes: How much of it at most; 0: half of the machine's, the kernel's default.

    Raises:
        OSError: tmpfs cannot be mounted here.
    """
    _mount("tmpfs", mount_point, "tmpfs", f"mode=0700,size={size_bytes}" if size_bytes else "mode=0700")


def mount_overlay_on(lower: str, merged: str, directory: str, *, is_volatile: bool = False) -> None:
    """Mount a writable view of ``lower`` on a directory, with changes in ``upper`` in another one.

    Args:
        lower: The ready directory.
        merged: What to mount it on.
        directory: A directory for what is written. It may have an ``upper`` already, which then lies over ``lower``.
        is_volatile: Whether that need not be on the disk when it is unmounted (Linux 5.10).

    Raises:
        OSError: overlayfs cannot be mounted here.
    """
    for name in ("upper", "work"):
        os.makedirs(f"{directory}/{name}", 0o700, exist_ok=True)
    # index=off, which some kernels do not have as default: files that are hard links below must part when written.
    options = f"lowerdir={lower},upperdir={directory}/upper,workdir={directory}/work,userxattr,index=off"
    _mount("overlay", merged, "overlay", f"{options},volatile" if is_volatile else options)


def detach(path: str) -> None:
    """Unmount what is mounted on a directory, if anything is; who uses it may go on."""
    libc.umount2(os.fsencode(path), _MNT_DETACH)


def _clone(flags: int) -> int:
    pid = _libc_with_lock.syscall(ctypes.c_long(_SYS_CLONE or 0), ctypes.c_long(flags | signal.SIGCHLD), 0, 0, 0, 0)
    if pid < 0:
        raise _os_error("clone")
    return int(pid)


def _mount(source: str, target: str, kind: str, options: str) -> None:
    flags = ctypes.c_ulong(_MS_NOSUID | _MS_NODEV)
    if libc.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode()) != 0:
        raise _os_error(f"mount {kind} on {target} ({options})")


def _write_maps(uids: tuple[int, int], gids: tuple[int, int]) -> None:
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/gid_map", "{} {} 1".format(*gids))
    try:
        _write("/proc/self/uid_map", "{} {} 1".format(*uids))
    except PermissionError:
        # Root needs CAP_SETFCAP to map itself (since Linux 5.12, user_namespaces(7)), which a container may have
        # dropped. Without a map it shows as the overflow id: another user than root, and the owner of root's files.
        if uids[1] != 0:
            raise


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _os_error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
