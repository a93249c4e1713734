"""The graph of services: what every service rule shares, and the order in which services start."""

load("@rules_python//python:py_info.bzl", "PyInfo")
load("//rules:providers.bzl", "ServiceInfo")
load(":compiled_python.bzl", "compiled_archives")
load(":import_roots.bzl", "library_imports")
load(":labels.bzl", "label_text")
load(":misuse.bzl", "misuse")

SERVICE_ATTRS = {
    "service_name": attr.string(
        doc = "What fixtures, logs and `REALSERVICES_<NAME>_URL` call the service: `[a-z][a-z0-9_]*`. " +
              "Default: the target's name. Two services of one test may not share a name.",
    ),
    "services": attr.label_list(
        doc = "Services that must be ready before this one starts. A test that names this one gets them too.",
    ),
}

def service_infos(ctx):
    """Reads the attribute `services`; any target that is not a service is wrong use.

    Args:
      ctx: context of a rule with `SERVICE_ATTRS`.

    Returns:
      list of ServiceInfo in the order of the attribute.
    """
    for target in ctx.attr.services:
        if ServiceInfo not in target:
            misuse(
                ctx.label,
                "services",
                "%s is not a service" % label_text(target.label),
                "targets of rules that return ServiceInfo, such as postgres_service",
            )
    return [target[ServiceInfo] for target in ctx.attr.services]

def start_order(label, direct):
    """Returns all services that a target needs, each one after those that it needs itself.

    A cycle cannot get here: Bazel refuses one among labels.

    Args:
      label: Label of the target whose attribute `services` this is.
      direct: list of ServiceInfo in the order of the attribute.

    Returns:
      tuple of ServiceInfo without repetition.
    """
    ordered = {}
    for service in direct:
        for needed in service.services + (service,):
            ordered[needed.label] = needed
    by_name = {}
    for service in ordered.values():
        if service.name in by_name:
            misuse(
                label,
                "services",
                "two services are named %s: %s and %s" % (
                    repr(service.name),
                    label_text(by_name[service.name]),
                    label_text(service.label),
                ),
                "one service of each name; set 'service_name' on one of them",
            )
        by_name[service.name] = service.label
    return tuple(ordered.values())

def service_info(ctx, *, kind, config, runfiles, client = None, clients = ()):
    """Makes the ServiceInfo of the current target.

    Args:
      ctx: context of a rule with `SERVICE_ATTRS`.
      kind: what `kind_info` returns.
      config: dict for the manifest.
      runfiles: what the launcher needs to run the service.
      client: target with PyInfo: the client library for pytest fixtures. Its attribute has the aspect `compiled_python`.
      clients: instead of `client`, list of such targets.

    Returns:
      ServiceInfo.
    """
    direct = service_infos(ctx)
    clients = [client] if client else clients
    return ServiceInfo(
        name = ctx.attr.service_name or ctx.label.name,
        kind = kind.name,
        fields = kind.fields,
        url_forms = kind.url_forms,
        programs = kind.programs,
        label = ctx.label,
        config = config,
        needs = [service.name for service in direct],
        services = start_order(ctx.label, direct),
        runfiles = runfiles,
        python_client = struct(
            compiled = compiled_archives(clients),
            imports = [path for target in clients for path in library_imports(target[PyInfo])],
            runfiles = ctx.runfiles().merge_all([target[DefaultInfo].default_runfiles for target in clients]),
        ) if clients else None,
    )

def python_clients(services):
    """Returns what tests of services import: clients of theirs, and kinds of a project's own.

    Args:
      services: tuple of ServiceInfo.

    Returns:
      list of struct(imports, runfiles).
    """
    parts = [part for service in services for part in [service.python_client, service.python_kind]]
    return [part for part in parts if part]
