"""What a service target tells the tests that need it.

The first step of the data flow: a service rule returns `ServiceInfo`, `real_service_test` turns it into the
manifest that the launcher reads. A rule of your own may return `ServiceInfo` too.
"""

load("@rules_python//python:py_info.bzl", "PyInfo")
load("//rules/private:import_roots.bzl", "library_imports")
load("//rules/private:misuse.bzl", "misuse")
load("//rules/private:names.bzl", "is_name")

def _service_info_init(
        *,
        name,
        kind,
        label,
        config,
        runfiles,
        services = (),
        needs = (),
        python_client = None,
        python_kind = None,
        fields = ("url", "host", "port"),
        url_forms = (),
        programs = ()):
    if not is_name(name):
        misuse(label, "service_name", repr(name), "lower-case letters, digits and '_', starting with a letter")
    return {
        "config": config,
        "fields": tuple(fields),
        "kind": kind,
        "label": label,
        "name": name,
        "needs": tuple(needs),
        "programs": tuple(programs),
        "python_client": python_client,
        "python_kind": python_kind,
        "runfiles": runfiles,
        "services": tuple(services),
        "url_forms": tuple(url_forms),
    }

ServiceInfo, _ = provider(
    doc = "One service that a test can have, and everything that it needs in turn.",
    init = _service_info_init,
    fields = {
        "config": "dict: the settings of this kind, as they stand in the manifest (JSON-able; file values are runfiles paths).",
        "fields": "tuple of strings: what a test can ask of the service by `$(field label)`, of `database`, `host`, `password`, `port`, `socket`, `url`, `user` and `websocket_url`.",
        "kind": "string: which of the launcher's drivers runs the service, such as `postgres`.",
        "label": "Label: the target that declares the service.",
        "name": "string: what fixtures, logs and environment variables call the service; unique within one test.",
        "needs": "tuple of strings: names of the services that this one needs directly.",
        "programs": "tuple of strings: clients that a test can have on its PATH.",
        "python_client": "struct(imports, runfiles) with the client library that pytest fixtures of this kind import, or None.",
        "python_kind": "struct(package, imports, runfiles), see `python_kind`: the Python side of a kind of your own, or None for one of the ruleset's.",
        "runfiles": "runfiles: the files which the launcher needs to run the service.",
        "services": "tuple of ServiceInfo: all needed services, direct and indirect, each after those it needs itself.",
        "url_forms": "tuple of strings: what may follow the label in `$(url label form)`.",
    },
)

def python_kind(ctx, package, library):
    """Describes the Python side of a kind of service, for `ServiceInfo`.

    Args:
      ctx: context of the service rule.
      package: string: the package with a module `kind` that has a `KIND` (docs/own_kinds.md).
      library: Target of a `py_library` that has it.

    Returns:
      struct.
    """
    return struct(
        imports = [ctx.workspace_name] + library_imports(library[PyInfo]),
        package = package,
        runfiles = library[DefaultInfo].default_runfiles,
    )
