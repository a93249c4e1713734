"""The manifest: what a test's launcher is told. realservices/contract/manifest.py reads it."""

load(":labels.bzl", "label_text")

# The launcher refuses a version that it does not know.
_VERSION = 1

def _service(service):
    elsewhere = {
        "import_paths": service.python_kind.imports,
        "package": service.python_kind.package,
    } if service.python_kind else {}
    return elsewhere | {
        "config": service.config,
        "kind": service.kind,
        "label": label_text(service.label),
        "name": service.name,
        "needs": service.needs,
    }

def manifest(*, label, services, test, env, isolation):
    """Returns the manifest as JSON text; all its paths are runfiles paths.

    Args:
      label: Label of the test.
      services: tuple of ServiceInfo in start order.
      test: dict: which runner, and what it needs to know.
      env: dict of variable to list of strings and references.
      isolation: string: the default for a test function.
    """
    return json.encode_indent({
        "env": env,
        "isolation": isolation,
        "label": label_text(label),
        "services": [_service(service) for service in services],
        "test": test,
        "version": _VERSION,
    }, indent = " ") + "\n"
