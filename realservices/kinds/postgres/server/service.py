"""PostgreSQL: one private server per test action, on an overlay of a migrated and seeded template.

Config keys in the manifest: ``distribution`` (runfiles path of a directory with bin, lib and share; with
``distribution_archive`` and ``distribution_info`` its path in that archive), ``template`` and ``template_info``
(outputs of the build action, see template/build.py), ``template_base`` (if the template holds only what differs from
another archive: that one), ``database``, ``user``, ``settings``.

Ways to run, best first: on an overlay in namespaces of its own; in these, but on a private copy of the template, where
there is no room for a shared one or no overlay; on a copy without namespaces, where the machine refuses them.
PostgreSQL refuses to run as root: the namespace maps root to an unprivileged user. Root that may not be mapped shows in
it as the overflow user, which can write to a copy and to no overlay. Without a namespace the copy is given to another
user (see host/privileges.py).

Readiness is the protocol's own: a connection that sets the random password, see probe.py.
"""

from __future__ import annotations

import errno
import os
import signal

from realservices.host.namespaces import (
    are_namespaces_possible,
    fork_into_namespaces,
    fork_into_opened,
    map_user,
    mount_overlay,
    open_namespaces,
)
from realservices.host.privileges import become_unprivileged, give_away, may_map_itself
from realservices.host.process import spawn
from realservices.kinds.postgres.server.files import ServerFiles
from realservices.kinds.postgres.server.probe import log_in, set_password
from realservices.kinds.postgres.server.settings import server_settings
from realservices.services.base import HOST, Service, connect_unix
from realservices.services.template_description import read_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from realservices.contract.manifest import ServiceSpec
    from realservices.host.launcher_directories import LauncherDirectories

# Descriptors and processes: without them no way to run is any better.
_NEEDED_BY_ALL = (errno.EMFILE, errno.ENFILE, errno.EAGAIN)
_UNMAPPED = (
    "root without the capability SETFCAP has no overlay in a user namespace; run the tests as another user, if you can"
)
_ON_OVERLAY, _IN_NAMESPACES, _AS_USER = "on overlay", "in namespaces", "as user"


class Postgres(Service):
    """A postgres server on a leased port and a unix socket."""

    # Smart shutdown (SIGTERM) would wait for clients; fast shutdown (SIGINT) ends their connections and keeps data.
    stop_signal = int(signal.SIGINT)

    def __init__(self, spec: ServiceSpec, directories: LauncherDirectories, runfiles: str, ports: list[int]) -> None:
        super().__init__(spec, directories, runfiles, ports)
        config = spec.config
        self._info = read_info(spec, f"{runfiles}/{config['template_info']}")
        user, database = config["user"], config["database"]
        self.endpoint |= {
            "user": user,
            "database": database,
            "template_database": self._info["template_database"],
            "ready_databases": self._info["ready_databases"],
            "server_version_num": self._info["server_version_num"],
            "socket": self.directory,
            "url": f"postgresql://{user}:{self.password}@{HOST}:{self.port}/{database}",
        }
        self._files = ServerFiles(spec, directories, runfiles, self._info)
        self._mount_point = f"{self.directory}/fs"
        os.mkdir(self._mount_point, 0o700)
        # The best one first; the others are fallbacks.
        self._modes = [_ON_OVERLAY, _IN_NAMESPACES, _AS_USER] if are_namespaces_possible() else [_AS_USER]
        if self._modes[0] == _ON_OVERLAY and not may_map_itself():
            del self._modes[0]
            self.warning = self._slower(_UNMAPPED)
        self._was_ready = False
        self._namespaces: list[int] = []
        self._refusal = ""

    def preparation(self) -> Callable[[], None] | None:
        """Return what unpacks the files that the server will run on, unless they lie there from another action."""
        return None if self._was_ready else self._files.preparation(shares=self._modes[0] == _ON_OVERLAY)

    def start(self, env: dict[str, str], output: int) -> int:
        """Start the server; the way it runs is the best one that has not failed yet."""
        if self._was_ready and self._namespaces:
            return self._start_again(env, output)
        while self._modes[0] != _AS_USER:
            try:
                return self._start_in_namespaces(env, output)
            except OSError as error:
                if error.errno in _NEEDED_BY_ALL:
                    raise
                self._fall_back(str(error))
        return self._start_as_user(env, output)

    def fall_back(self, reason: str) -> bool:
        """Give up a way to run after the child found that the kernel refuses it."""
        # What has been written since would be lost with the way: that is a failure, not a reason to start afresh.
        if self._modes[0] == _AS_USER or self._was_ready:
            return False
        self._fall_back(reason)
        return True

    def is_ready_line(self, line: str) -> bool:
        """Recognise the postmaster's announcement; translations are off (lc_messages is C)."""
        return "ready to accept connections" in line

    def probe(self) -> bool:
        """Connect as the superuser over the unix socket and set the password for TCP."""
        with connect_unix(f"{self.directory}/.s.PGSQL.{self.port}") as connection:
            config, version = self.spec.config, self._info["server_version_num"]
            is_ready = set_password(connection, config["user"], config["database"], self.password, version)
        self._was_ready = self._was_ready or is_ready
        return is_ready

    def is_sound(self) -> bool:
        """Log in once more."""
        try:
            with connect_unix(f"{self.directory}/.s.PGSQL.{self.port}") as connection:
                return log_in(connection, user=self.spec.config["user"], database=self.spec.config["database"])
        except OSError:
            return False

    def close(self) -> None:
        """Let go of the files, and of the namespaces with all that was written."""
        self._drop_namespaces()
        self._files.release()

    def _start_in_namespaces(self, env: dict[str, str], output: int) -> int:
        self._drop_namespaces()
        on_overlay = self._modes[0] == _ON_OVERLAY
        lower, mount_point = self._files.shared_tree() if on_overlay else "", self._mount_point
        command = self._command()
        uid, gid = os.geteuid(), os.getegid()

        def prepare() -> None:
            map_user(uid, gid)
            if on_overlay:
                mount_overlay(lower, mount_point)

        pid = spawn(command, env=env, output=output, fork=fork_into_namespaces, prepare=prepare)
        try:
            self._namespaces = open_namespaces(pid)
        except OSError:
            pass  # It has ended already; its exit code says why.
        return pid

    def _start_again(self, env: dict[str, str], output: int) -> int:
        """Start after a stop, on the same data."""

        def prepare() -> None:
            # Written by process 1 of a namespace that is gone; here that number is another process's.
            for lock in (f"{self._data}/postmaster.pid", f"{self.directory}/.s.PGSQL.{self.port}.lock"):
                if os.path.exists(lock):
                    os.unlink(lock)

        def fork() -> int:
            return fork_into_opened(self._namespaces)

        return spawn(self._command(), env=env, output=output, fork=fork, prepare=prepare)

    def _start_as_user(self, env: dict[str, str], output: int) -> int:
        command = self._command()
        prepare = None
        if os.geteuid() == 0:
            give_away([self._files.copy(), self.directory], command[0], self._refusal or "this kernel has none")
            prepare = become_unprivileged

        # Killed outright it would leave a SysV segment; if the guardian is quicker, that removes it.
        return spawn(command, env=env, output=output, death_signal=self.end_signal, prepare=prepare)

    @property
    def _data(self) -> str:
        """The data directory of the present way to run; a copy is made when it is first asked for."""
        if self._modes[0] == _ON_OVERLAY:
            return f"{self._mount_point}/data"
        return self._files.copy()

    def _fall_back(self, reason: str) -> None:
        del self._modes[0]
        self._drop_namespaces()
        if self._modes[0] == _AS_USER:
            # Immediate shutdown: SIGKILL would leave workers and a SysV segment behind.
            self.end_signal = int(signal.SIGQUIT)
        # Why the best way failed says more than why the second best did.
        self._refusal = self._refusal or reason
        self.warning = self.warning or self._slower(reason)

    def _slower(self, reason: str) -> str:
        return (
            f"service {self.spec.name!r} ({self.spec.label}) runs on a private copy of its template, which starts "
            f"more slowly: {reason}"
        )

    def _drop_namespaces(self) -> None:
        for descriptor in self._namespaces:
            os.close(descriptor)
        self._namespaces = []

    def _command(self) -> list[str]:
        settings = server_settings(self.spec.config["settings"], self._info["server_version_num"])
        settings |= {
            "port": str(self.port),
            "listen_addresses": HOST,
            "unix_socket_directories": self.directory,
        }
        return [
            self._files.program("postgres"),
            "-D",
            self._data,
            *(f"--{name}={value}" for name, value in settings.items()),
        ]
