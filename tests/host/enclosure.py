"""Run a command on a machine of its own making: `python enclosure.py [options] -- COMMAND…`.

Tests use it to show the launcher other users, other networks, small or private file systems, containers, and kernels
that refuse user namespaces. Everything is done by namespaces, so it needs no rights and changes nothing outside.

What the command itself needs stays visible, though it lies below a path that is hidden: the repository, the interpreter
and Bazel's directories may lie in /tmp. ENCLOSURE_KEPT names such entries, for tests that look what is in there.

Sources: user_namespaces(7), mount_namespaces(7), pid_namespaces(7), netdevice(7), capabilities(7), seccomp(2).
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import fcntl
import os
import resource
import signal
import socket
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_CLONE_NEWNS = 0x00020000
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_MS_RDONLY = 0x1
_MS_REMOUNT = 0x20
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_REC_PRIVATE = 0x4000 | 0x40000
_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_SECCOMP_MODE_FILTER = 2
_SECCOMP_RET_ERRNO, _SECCOMP_RET_ALLOW = 0x00050000, 0x7FFF0000
# Of linux/bpf_common.h: load a field of the system call, compare it, look for bits in it, return a value.
_BPF_LOAD, _BPF_JUMP_IF_EQUAL, _BPF_JUMP_IF_BITS, _BPF_RET = 0x20, 0x15, 0x45, 0x06
# Of struct seccomp_data: number, architecture, first argument.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
# clone, fork, vfork, clone3, by machine.
_FORKS = {"x86_64": (56, 57, 58, 435), "aarch64": (220, 435)}
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_PR_CAPBSET_DROP = 24
_CAPABILITY_VERSION = 0x20080522
_LAST_CAPABILITY = 40
# What Docker, Podman and containerd leave to root by default, by number; see capabilities(7).
_OF_CONTAINERS = {
    "CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8,
    "NET_BIND_SERVICE": 10, "NET_RAW": 13, "SYS_CHROOT": 18, "MKNOD": 27, "AUDIT_WRITE": 29, "SETFCAP": 31,
}  # fmt: skip
# AUDIT_ARCH of each machine, and its numbers of clone and of what Docker's default seccomp profile refuses.
_SYSTEM_CALLS = {"x86_64": (0xC000003E, 56, (272, 308, 165, 166)), "aarch64": (0xC00000B7, 220, (97, 268, 40, 39))}
_CLONE3 = 435  # On both.
_CLONE_NEW_ANY = 0x7E020000

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: Sequence[str]) -> int:
    """Build the enclosure and become the command in it, or its first process where it has process ids of its own."""
    options = _parse(arguments)
    flags = _CLONE_NEWUSER | _CLONE_NEWNS
    flags |= _CLONE_NEWNET if options.net or options.no_loopback else 0
    flags |= _CLONE_NEWIPC if options.ipc else 0
    flags |= _CLONE_NEWPID if options.pid else 0
    _unshare_mapped(flags, options)
    _check(_libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC_PRIVATE), None), "make mounts private")
    if options.pid:
        _be_parent_of_init()
        _mount("proc", "/proc", "")
    binds = [entry.partition("=")[::2] for entry in options.bind]
    kept = _open_needed(
        options.command, [*(target for _, target in binds), *(entry.partition("=")[0] for entry in options.tmpfs)]
    )
    for source, target in binds:
        _bind(source, target)
    for entry in options.tmpfs:
        path, _, size = entry.partition("=")
        size, _, inodes = size.partition(",nr_inodes=")
        # What is kept has an inode of its own.
        more = sum(each.startswith(f"{path}/") for each in kept)
        limits = (f",size={size}" if size else "") + (f",nr_inodes={int(inodes) + more}" if inodes else "")
        _mount("tmpfs", path, f"mode=1777{limits}")
    _show(kept)
    for path in options.fill:
        _fill(path)
    for path in options.read_only:
        _make_read_only(path)
    if options.net:
        _bring_loopback_up()
    if options.no_user_namespaces:
        with open("/proc/sys/user/max_user_namespaces", "w", encoding="ascii") as file:
            file.write("0")
    if options.container:
        _refuse_namespaces()
    if options.container or options.drop:
        _keep_capabilities(set() if "ALL" in options.drop else _OF_CONTAINERS.keys() - set(options.drop))
    if options.all_ids and options.uid:
        os.setgroups([])
        os.setresgid(options.uid, options.uid, options.uid)
        os.setresuid(options.uid, options.uid, options.uid)
    if options.pid:
        return _be_init(options)
    return _become(options)


def _open_needed(command: Sequence[str], hidden: Sequence[str]) -> dict[str, int]:
    """Open what lies directly below a path that will be hidden, where the command needs something in it."""
    words = [*sys.path, *os.environ.get("PYTHONPATH", "").split(os.pathsep), os.environ.get("RUNFILES_DIR", "")]
    words += [os.getcwd(), *(word for word in command if word.startswith("/"))]
    needed = {os.path.realpath(path) for path in (__file__, sys.executable, sys.base_prefix, *words) if path}
    needed |= {os.path.abspath(path) for path in (__file__, sys.executable, *words) if path}
    kept: dict[str, int] = {}
    for place in hidden:
        names = {path[len(place) + 1 :].partition("/")[0] for path in needed if path.startswith(f"{place}/")}
        for path in (f"{place}/{name}" for name in names):
            kept[path] = os.open(path, os.O_PATH)
    return kept


def _show(kept: dict[str, int]) -> None:
    for path, descriptor in kept.items():
        os.makedirs(path, exist_ok=True)
        _bind(f"/proc/self/fd/{descriptor}", path, _MS_REC)
        os.close(descriptor)
    os.environ["ENCLOSURE_KEPT"] = ":".join(map(os.path.basename, kept))


def _bind(source: str, target: str, flags: int = 0) -> None:
    flags |= _MS_BIND
    _check(_libc.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None), f"bind {source}={target}")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="enclosure", description=__doc__)
    parser.add_argument("--uid", type=int, default=0, help="user and group id that the command sees itself as")
    parser.add_argument("--all-ids", action="store_true", help="map every id, not only one (only for real root)")
    parser.add_argument("--net", action="store_true", help="a network with nothing but loopback")
    parser.add_argument("--no-loopback", action="store_true", help="a network with nothing at all")
    parser.add_argument("--ipc", action="store_true", help="SysV segments of its own")
    parser.add_argument("--pid", action="store_true", help="process ids of its own; all end with the command")
    parser.add_argument(
        "--tmpfs",
        action="append",
        default=[],
        metavar="PATH[=SIZE]",
        help="an empty tmpfs on PATH; after the size ,nr_inodes=NUMBER can follow",
    )
    parser.add_argument("--fill", action="append", default=[], metavar="PATH", help="leave no room in that tmpfs")
    parser.add_argument("--read-only", action="append", default=[], metavar="PATH", help="refuse to write below it")
    parser.add_argument(
        "--limit", action="append", default=[], metavar="NAME=NUMBER", help="as setrlimit(2): nofile, nproc"
    )
    parser.add_argument("--no-fork", action="store_true", help="a kernel that starts no further process (EAGAIN)")
    parser.add_argument(
        "--bind", action="append", default=[], metavar="SOURCE=TARGET", help="show a directory elsewhere"
    )
    parser.add_argument("--no-user-namespaces", action="store_true", help="a kernel that refuses user namespaces")
    parser.add_argument(
        "--container", action="store_true",
        help="the capabilities and the system calls that Docker leaves to root by default: no namespaces",
    )  # fmt: skip
    parser.add_argument(
        "--drop", action="append", default=[], choices=["ALL", *_OF_CONTAINERS], metavar="CAPABILITY",
        help="no more capabilities than a container has, and not this one either",
    )  # fmt: skip
    parser.add_argument("command", nargs="+")
    return parser.parse_args(arguments)


def _unshare_mapped(flags: int, options: argparse.Namespace) -> None:
    uid, gid = os.geteuid(), os.getegid()
    if not options.all_ids:
        _check(_libc.unshare(flags), "unshare")
        _write_maps(os.getpid(), f"{options.uid} {uid} 1", f"{options.uid} {gid} 1", deny_setgroups=True)
        return
    # Only a process outside of the namespace may write a map of more than one id.
    target, unshared, mapped = os.getpid(), os.pipe(), os.pipe()
    writer = os.fork()
    if not writer:
        os.close(unshared[1])
        os.read(unshared[0], 1)
        _write_maps(target, "0 0 65536", "0 0 65536", deny_setgroups=False)
        os.write(mapped[1], b"x")
        os._exit(0)
    _check(_libc.unshare(flags & ~_CLONE_NEWPID), "unshare")
    os.write(unshared[1], b"x")
    os.close(mapped[1])
    os.waitpid(writer, 0)
    if os.read(mapped[0], 1) != b"x":
        raise OSError("the id maps could not be written; --all-ids needs real root")
    if flags & _CLONE_NEWPID:
        _check(_libc.unshare(_CLONE_NEWPID), "unshare")


def _write_maps(pid: int, uid_map: str, gid_map: str, *, deny_setgroups: bool) -> None:
    files = {"gid_map": gid_map, "uid_map": uid_map}
    if deny_setgroups:
        files = {"setgroups": "deny"} | files
    for name, text in files.items():
        with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _be_parent_of_init() -> None:
    """Fork: the child goes on as process 1; this process ends as the child does."""
    init = os.fork()
    if init:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _: os.kill(init, received))
        _, status = os.waitpid(init, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _become(options: argparse.Namespace) -> NoReturn:
    """Become the command, with the limits that only it is to have."""
    for entry in options.limit:
        name, _, number = entry.partition("=")
        resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (int(number), int(number)))
    if options.no_fork:
        _refuse_forks()
    os.execvp(options.command[0], options.command)


def _refuse_forks() -> None:
    """Have each system call that makes a process fail with EAGAIN, whoever the user is: limits spare root."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    _filter_system_calls([(number, errno.EAGAIN) for number in _FORKS[os.uname().machine]])


def _refuse_namespaces() -> None:
    """Filter system calls as Docker does: namespaces and mounts are refused with EPERM, clone3 with ENOSYS.

    The C library then falls back from clone3 to clone, whose flags a filter can see.
    """
    architecture, clone, refused = _SYSTEM_CALLS[os.uname().machine]
    of_this_machine = [
        (_BPF_LOAD, 0, 0, _ARCHITECTURE),
        (_BPF_JUMP_IF_EQUAL, 1, 0, architecture),
        (_BPF_RET, 0, 0, _SECCOMP_RET_ALLOW),
    ]
    clone_with_flags = [
        (_BPF_JUMP_IF_EQUAL, 0, 3, clone),
        (_BPF_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_BPF_JUMP_IF_BITS, 0, 1, _CLONE_NEW_ANY),
        (_BPF_RET, 0, 0, _SECCOMP_RET_ERRNO | errno.EPERM),
    ]
    calls = [(_CLONE3, errno.ENOSYS), *((number, errno.EPERM) for number in refused)]
    _filter_system_calls(calls, before=of_this_machine, after=clone_with_flags)


def _filter_system_calls(
    refused: Sequence[tuple[int, int]],
    *,
    before: Sequence[tuple[int, int, int, int]] = (),
    after: Sequence[tuple[int, int, int, int]] = (),
) -> None:
    """Refuse system calls, each by its number with an error number; instructions may stand before and after these."""
    program = [*before, (_BPF_LOAD, 0, 0, _NUMBER)]
    for number, error in refused:
        program += [(_BPF_JUMP_IF_EQUAL, 0, 1, number), (_BPF_RET, 0, 0, _SECCOMP_RET_ERRNO | error)]
    program += [*after, (_BPF_RET, 0, 0, _SECCOMP_RET_ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    filter_ = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filter_, 0, 0), "seccomp")


def _be_init(options: argparse.Namespace) -> int:
    """Run the command, reap what it orphans, and return its exit code."""
    pid = os.fork()
    if not pid:
        _become(options)
    while True:
        ended, status = os.wait()
        if ended == pid:
            return os.waitstatus_to_exitcode(status) & 0xFF


def _mount(kind: str, path: str, options: str) -> None:
    _check(
        _libc.mount(kind.encode(), path.encode(), kind.encode(), ctypes.c_ulong(0), options.encode()),
        f"{kind} on {path}",
    )


def _fill(path: str) -> None:
    with open(f"{path}/filling", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def _make_read_only(path: str) -> None:
    if path != "/":  # That is a mount already.
        _bind(path, path, _MS_REC)  # With what is mounted below it: the kernel lets nobody uncover that.
    # What a mount of somebody else forbids must stay forbidden in our view of it.
    kept = os.statvfs(path).f_flag & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME)
    flags = _MS_BIND | _MS_REMOUNT | _MS_RDONLY | kept
    _check(_libc.mount(None, path.encode(), None, ctypes.c_ulong(flags), None), f"read-only {path}")


def _keep_capabilities(names: set[str]) -> None:
    """Have no capability but these, and no way to get one, by executing a program as root for instance."""
    kept = {_OF_CONTAINERS[name] for name in names}
    for number in set(range(_LAST_CAPABILITY + 1)) - kept:
        _check(_libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0), f"drop capability {number}")
    mask = sum(1 << number for number in kept)
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    _check(_libc.capset(header, struct.pack("6I", mask, mask, 0, 0, 0, 0)), "capset")


def _bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
