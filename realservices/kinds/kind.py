"""What the rest of the package knows of a kind of service: nothing but this.

A kind is a folder. Its `kind.py` has an object `KIND` of a subclass of `Kind`. Both the launcher and tests read it for
each service of a target: so it says what both sides need, and imports nothing slow. Parts of the kind that it names as
``"module:name"`` are in its folder; `registry.load` imports one when it is used.
"""

from __future__ import annotations

import os

from realservices.contract.shapes import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


FIELDS = ("database", "host", "password", "port", "socket", "url", "user", "websocket_url")


class Kind:
    """One kind. An attribute that does not apply keeps the value that it has here.

    Attributes:
        name: As a manifest and a declaration call it: ``postgres``.
        package: The folder, as Python's name of a package.
        title: What people call it: ``PostgreSQL``.
        server: The part that runs it: a subclass of `realservices.services.base.Service`.
        declared: The part for plain pytest: a `realservices.sources.declared_kind.DeclaredKind`.
        isolated: The part by which tests share one: a `realservices.isolation.isolated_kind.IsolatedKind`. Empty: they
            do not.
        pooled: The part for many tests at once: a `realservices.optimization.pooled_kind.PooledKind`. Empty: they take
            turns.
        has_worker_databases: Programs of each worker of pytest-xdist have a database of their own.
        has_worker_servers: Each worker of pytest-xdist has a server of its own: one starts in a few milliseconds.
        hints: The part by which `init` finds out that a project uses it: a
            `realservices.cli.proposal.kind_hints.KindHints`.
        fixtures: Modules with fixtures of pytest.
        hooks: Modules with hooks of pytest, for sessions with tests of ours.
        client_modules: Modules whose errors may mean that the server has ended.
        client_answers: Classes of those errors that do not: the server has answered, or was not asked.
        client_libraries: Those that tests outside of Bazel use, and the oldest version of each that serves.
        has_extra: An extra of the package, called like the kind, brings server and libraries.
        resources: The keys of an environment that are its clients, and the packages that each needs of the user's own.
        environments: The fixtures of environments that have these keys, beside those that have all.
        config: Shape of its configuration in a manifest (contract/shapes.py).
        template: Shape of what is known of a template; None: it has none.
        variables: The environment variables of the first service of the kind, and the endpoint's field in each.
        more_variables: Those that a migrator finds beside them.
        fields: What others may ask of a service by ``$(field name)``.
        url_forms: What makes the address from an endpoint for ``$(url label form)``, by form.
        migrator_fields: What ``$(field)`` may be in commands of migrators. Empty: it has no migrators.
        port_names: Names of its ports, the main one first. Empty: one port, called like the kind.
        build_tools: Parts that are build actions, by the name of the command.
        program_variable: By which a user names the program that plain pytest starts. Empty: it starts none of its own.
        program: What that is, in words.
        program_keys: Keys of the configuration that name files which the server runs on.
        client_programs: What `on_path` may ask for, and the module of the package that stands in where the server's
            distribution has no such program; "": none does.
        client_command: The one that a group of services can be asked for, to connect to the first of the kind.
        client_remedy: What to add to the message that there is none.
        owned_settings: Settings of the server that are the launcher's: why, and what to do instead.
        owned_key: The key that these would stand in.
        hyphen: What a hyphen in the name of a setting stands for.
        is_default: A session of plain pytest has one without a declaration.
        fetch: The part by which `fetch` gets, when it is asked for, what the server's package lacks; it returns what
            there is to say. Empty: it lacks nothing.
        trial: The part that starts a server on this machine for `doctor`, and returns what it is. Empty: none does.
        validated: The part that `validate` uses it by: a `realservices.cli.validated_kind.ValidatedKind`. Empty: none.
    """

    name = ""
    package = ""
    title = ""
    server = ""
    declared = "declared:DECLARED"
    isolated = ""
    pooled = ""
    has_worker_databases = False
    has_worker_servers = False
    hints = ""
    fixtures: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    client_modules: tuple[str, ...] = ()
    client_answers: tuple[str, ...] = ()
    client_libraries: Mapping[str, str] = {}
    has_extra = True
    resources: Mapping[str, tuple[str, ...]] = {}
    environments: frozenset[str] = frozenset()
    config: Any = dict
    template: Any = None
    variables: Mapping[str, str] = {}
    more_variables: Mapping[str, str] = {}
    fields: tuple[str, ...] = FIELDS
    url_forms: Mapping[str, Callable[[Mapping[str, Any]], str]] = {}
    migrator_fields: tuple[str, ...] = ()
    port_names: tuple[str, ...] = ()
    build_tools: Mapping[str, str] = {}
    program_variable = ""
    program = ""
    program_keys: tuple[str, ...] = ()
    client_programs: Mapping[str, str] = {}
    client_command = ""
    client_remedy = ""
    owned_settings: Mapping[str, str] = {}
    owned_key = "settings"
    hyphen = "-"
    is_default = False
    fetch = ""
    trial = ""
    validated = ""

    def check_config(self, config: Any, key: str) -> None:
        """Check a configuration of a manifest.

        Args:
            config: It.
            key: Where it is, for the message.

        Raises:
            ShapeError: It is none.
        """
        check(config, self.config, key)

    def program_directory(self, config: Mapping[str, Any], runfiles: str) -> str:
        """Return the directory of the programs that come with the server.

        Args:
            config: The service's, from a manifest.
            runfiles: The directory that paths in it start from.
        """
        return os.path.dirname(os.path.realpath(f"{runfiles}/{config['server']}"))

    def client_address(self, endpoint: Mapping[str, Any], env: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        """Return options and environment by which `client_command` connects to a service.

        Args:
            endpoint: The service.
            env: Its environment otherwise.
        """
        raise NotImplementedError

    def made_of(self, files: Mapping[str, str]) -> list[str]:
        """Return the files that tell one state of a service from another one.

        Args:
            files: The paths of `program_keys`.
        """
        return [files[key] for key in ("server", "template") if key in files]
