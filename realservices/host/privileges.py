"""Root as another user, for servers that refuse to run as root, where the kernel grants no user namespace.

So it is in most containers. What root has made, the server's data and sockets among it, lies in directories that only
root may enter; interpreter and servers often do so, too (below /root, or installed with a umask of 077). Instead of
opening any of them to all users, the process keeps one capability of root's, CAP_DAC_OVERRIDE: with it, directories
can be passed and files executed as before. (CAP_DAC_READ_SEARCH does not cover execution, and containers lack it.) In
a namespace of its own a server can reach the same files, because there its user is root's.

access(2) ignores capabilities of all users but root, and PostgreSQL finds its own programs by access(2), so this is
switched off (SECBIT_NO_SETUID_FIXUP), which takes CAP_SETPCAP.

Sources: capabilities(7) ("Ambient", "Effect of user ID changes on capabilities"), PR_CAP_AMBIENT(2const), access(2),
the system call faccessat in the kernel's fs/open.c, and validate_exec in PostgreSQL's src/common/exec.c.
"""

from __future__ import annotations

import ctypes
import errno
import os

from realservices.host.libc import libc
from realservices.host.namespaces import UNPRIVILEGED_ID, enter_user_namespace

_PR_SET_KEEPCAPS = 8
_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP = 28, 4
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAPABILITY_VERSION_3 = 0x20080522
_DAC_OVERRIDE, _SETPCAP, _SETFCAP = 1, 8, 31
# By number: to give files away, to reach and remove them nevertheless, to end the server, and to become its user.
_NEEDED = {0: "CHOWN", _DAC_OVERRIDE: "DAC_OVERRIDE", 5: "KILL", 6: "SETGID", 7: "SETUID"}
_REMEDY = (
    "Either run the tests as another user (in a container: docker run --user), or give root the capabilities that "
    "containers have by default (no --cap-drop), or user namespaces (--security-opt seccomp=unconfined)"
)


def leave_root(work: str, program: str) -> None:
    """Have this process and all that it starts be an unprivileged user's, by the best way that the kernel grants.

    For programs that make what a server will run on. What they make stays readable for root.

    Args:
        work: The directory in which they make it. It will belong to that user.
        program: What they will execute.

    Raises:
        OSError: Root can neither enter a user namespace nor become another user; the message says why.
    """
    try:
        enter_user_namespace()
    except OSError as refused:
        if os.geteuid() == 0:
            give_away([work], program, str(refused))
            become_unprivileged()


def may_map_itself() -> bool:
    """Return whether this user can be mapped into a user namespace of its own; root without CAP_SETFCAP cannot.

    Such a namespace is still good for a server, which runs there as another user than root. But what is mounted there
    belongs to the namespace, and nothing can be made in it by a user that the namespace does not know.
    """
    return os.geteuid() != 0 or bool(_effective_capabilities() >> _SETFCAP & 1)


def give_away(directories: list[str], program: str, refusal: str) -> None:
    """Give what root has made to the unprivileged user, if a process of his can then run on it.

    Args:
        directories: Directories, with all that lies below them.
        program: What that process will execute.
        refusal: Why there is no user namespace, for the message.

    Raises:
        OSError: This root lacks a capability that it takes, or has no other user to give anything to.
    """
    missing = obstacle(program, *directories)
    if missing:
        raise OSError(errno.EPERM, _message(refusal, missing))
    try:
        for path in directories:
            _change_owner(path)
            for root, names, files in os.walk(path):
                for name in (*names, *files):
                    _change_owner(f"{root}/{name}")
    except OSError as error:
        cause = f"root cannot become another user here ({error.strerror})"
        raise OSError(error.errno, _message(refusal, cause)) from None


def become_unprivileged() -> None:
    """Become the unprivileged user, who keeps root's right to pass directories, to read and to execute.

    Raises:
        OSError: Root may not do that here.
    """
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setresgid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    os.setresuid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    # Permitted, effective and inheritable are the same from now on: this one alone. Then it survives exec, too.
    mask = 1 << _DAC_OVERRIDE
    _check(libc.capset(_header(), (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)), "capset")
    _check(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _DAC_OVERRIDE, 0, 0), "PR_CAP_AMBIENT_RAISE")


def obstacle(program: str = "/", *directories: str) -> str:
    """Say which capabilities this root lacks to give files to the unprivileged user and to become him.

    Args:
        program: What that user is to execute.
        directories: What he is to reach.

    Returns:
        What is missing and what that closes; "" if nothing is.
    """
    effective = _effective_capabilities()
    missing = [name for number, name in _NEEDED.items() if not effective >> number & 1]
    closed = ""
    if not effective >> _SETPCAP & 1 and _closed(program):
        missing.append("SETPCAP")
        closed = _closed(program)
    elif not effective >> _DAC_OVERRIDE & 1:
        closed = next(filter(None, map(_closed, directories)), "")
    if not missing:
        return ""
    return f"root cannot become another user without the capabilities {', '.join(missing)}{_described(closed)}"


def _closed(path: str) -> str:
    """Return the first file or directory on the way to a path that other users cannot pass or execute, or ""."""
    parts = os.path.realpath(path).split("/")
    way = ["/".join(parts[:number]) or "/" for number in range(1, len(parts) + 1)]
    return next((each for each in way if not os.stat(each).st_mode & 0o001), "")


def _described(closed: str) -> str:
    if not closed:
        return ""
    status = os.stat(closed)
    mode = f"mode {status.st_mode & 0o7777:04o}, of user {status.st_uid}"
    return f": user {UNPRIVILEGED_ID} would not get past {closed} ({mode})"


def _effective_capabilities() -> int:
    data = (ctypes.c_uint32 * 6)()
    _check(libc.capget(_header(), data), "capget")
    return data[0]


def _header() -> ctypes.Array[ctypes.c_uint32]:
    return (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)  # This process.


def _change_owner(path: str) -> None:
    os.chown(path, UNPRIVILEGED_ID, UNPRIVILEGED_ID, follow_symlinks=False)


def _message(refusal: str, cause: str) -> str:
    return f"PostgreSQL refuses to run as root; there is no user namespace ({refusal}), and {cause}. {_REMEDY}"


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
