"""The manifest: what the rule `real_service_test` tells the launcher about one test target.

Bazel writes it as JSON (rules/private/manifest.bzl); the launcher reads it before anything else, so this module keeps
to what the interpreter has already loaded: no dataclasses, no typing at run time (each costs more than 5 ms).
"""

from __future__ import annotations

from realservices.contract.errors import ManifestError
from realservices.contract.manifest_shapes import check_manifest
from realservices.contract.shapes import check, load_json, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.contract.environment import Part

VERSION = 1


class ServiceSpec:
    """One declared service.

    Attributes:
        name: Unique within the test; in environment names it is upper-cased.
        kind: The name of a folder of realservices/kinds, or of a project's own kind.
        label: The Bazel label that declares it, for messages.
        needs: Names of the services that must be ready before it starts.
        config: What the kind needs; the keys are documented with the kind (realservices/kinds).
        package: Where the kind is, if it is a project's own: a package of Python's. Empty: it is one of ours.
        import_paths: Runfiles paths by which Python finds that.
    """

    __slots__ = ("config", "import_paths", "kind", "label", "name", "needs", "package")

    def __init__(self, entry: dict[str, Any]) -> None:
        self.name: str = entry["name"]
        self.kind: str = entry["kind"]
        self.label: str = entry["label"]
        self.needs: list[str] = entry["needs"]
        self.config: dict[str, Any] = entry["config"]
        self.package: str = entry.get("package", "")
        self.import_paths: list[str] = entry.get("import_paths", [])


class TestSpec:
    """The program under test.

    Attributes:
        runner: ``pytest``, ``executable`` or ``services`` (a group of services, without a test).
        files: Runfiles paths of the test files (pytest).
        import_paths: Runfiles paths that go onto ``sys.path``, in order (pytest).
        compiled: Runfiles paths of archives of compiled modules, see fixtures/compiled_imports.py (pytest).
        durations: Runfiles path of recorded durations, or None (pytest).
        program: Runfiles path of the program (executable).
        test_runner: What runs the tests in it, as launcher/test_runners.py names it; "": it is not known (executable).
        checkout_paths: Runfiles paths of the client libraries by which databases are checked out; None: there is no
            check-out (executable).
        on_path: Clients of services to find on PATH, see launcher/path_programs.py.
        ports: First ports of services by name, where they are fixed (services).
        file_lists: By service, the runfiles path of a list of the files that it runs on, which are named from
            ``workspace``, a folder of the runfiles (services).
        coverage: Runfiles paths with coverage.py, where Bazel collects coverage.
    """

    __test__ = False  # The name is the domain's; pytest must not collect it.
    __slots__ = (
        "checkout_paths",
        "compiled",
        "coverage",
        "durations",
        "file_lists",
        "files",
        "import_paths",
        "on_path",
        "ports",
        "program",
        "runner",
        "test_runner",
        "workspace",
    )

    def __init__(self, entry: dict[str, Any]) -> None:
        self.runner: str = entry["runner"]
        self.files: list[str] = entry.get("files", [])
        self.import_paths: list[str] = entry.get("import_paths", [])
        self.compiled: list[str] = entry.get("compiled", [])
        self.durations: str | None = entry.get("durations")
        self.program: str = entry.get("program", "")
        self.test_runner: str = entry.get("test_runner", "")
        self.checkout_paths: list[str] | None = entry.get("checkout_paths")
        self.on_path: list[str] = entry.get("on_path", [])
        self.ports: dict[str, int] = entry.get("ports", {})
        self.file_lists: dict[str, str] = entry.get("file_lists", {})
        self.workspace: str = entry.get("workspace", "")
        self.coverage: list[str] = entry.get("coverage", [])


class Manifest:
    """One test target: its label, services in dependency order, program, environment mapping and isolation.

    Attributes:
        env: Name to a list of parts, see `environment.resolved_text`.
        isolation: ``transaction`` or ``database``: what ``isolated_database`` is.
    """

    __slots__ = ("env", "isolation", "label", "path", "services", "test")

    def __init__(self, path: str, content: dict[str, Any]) -> None:
        self.path = path
        self.label: str = content["label"]
        self.services = [ServiceSpec(entry) for entry in content["services"]]
        self.test = TestSpec(content["test"])
        self.env: dict[str, list[Part]] = content["env"]
        self.isolation: str = content["isolation"]


def parse_manifest(path: str, text: bytes) -> Manifest:
    """Return what a manifest file says.

    Args:
        path: The file, for messages.
        text: What it contains.

    Raises:
        ManifestError: It is not JSON, of another version, or a value in it is not what it should be.
    """
    try:
        content = load_json(text)
        check(content, {"version": object})
        if content["version"] != VERSION:
            raise ManifestError(
                f"manifest {path} has version {shown(content['version'])}, this launcher reads version {VERSION}: "
                "rules and launcher come from different releases of rules_realservices; rebuild the target"
            )
        check_manifest(content)
    except ValueError as error:
        raise ManifestError(
            f"manifest {path} is damaged: {error}; it is written by real_service_test, not by hand: rebuild the target"
        ) from None
    return Manifest(path, content)
