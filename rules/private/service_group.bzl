"""`service_group`: `bazel run` starts services for development and keeps them until Ctrl-C."""

load(":hidden_files.bzl", "refuse_hidden")
load(":labels.bzl", "runfiles_path")
load(":manifest.bzl", "manifest")
load(":misuse.bzl", "misuse")
load(":service.bzl", "SERVICE_ATTRS", "service_infos", "start_order")
load(":test_stub.bzl", "STUB_ATTRS", "test_stub")

def _fixed_ports(ctx, services):
    """Returns the attribute `ports` as numbers by service name, checked."""
    names = [service.name for service in services if service.config.get("ports") != []]
    fixed, owners = {}, {}
    for name, text in ctx.attr.ports.items():
        value = "%s: %s" % (repr(name), text)
        if name not in names:
            misuse(ctx.label, "ports", value, "names of services of this group that have a port: " + ", ".join(names))
        number = int(text)
        if number < 1024 or number > 65535:
            misuse(ctx.label, "ports", value, "numbers from 1024 to 65535")
        if number in owners:
            misuse(ctx.label, "ports", "%d for both %s and %s" % (number, repr(owners[number]), repr(name)), "a number for each service")
        owners[number] = name
        fixed[name] = number
    return fixed

def _file_list(ctx, service):
    """Writes down which files a service runs on; by their times the launcher knows which service a build has changed."""
    file = ctx.actions.declare_file("%s.%s.files" % (ctx.label.name, service.name))
    lines = ctx.actions.args().set_param_file_format("multiline")
    lines.add_all(service.runfiles.files, map_each = _short_path, expand_directories = False)
    ctx.actions.write(file, lines)
    return file

def _short_path(file):
    return file.short_path

def _service_group_impl(ctx):
    services = start_order(ctx.label, service_infos(ctx))
    if not services:
        misuse(ctx.label, "services", "[]", "at least one service")
    for service in services:
        refuse_hidden(ctx.label, service.runfiles.files.to_list(), "_services")
    manifest_file = ctx.actions.declare_file(ctx.label.name + ".realservices.json")
    lists = {service.name: _file_list(ctx, service) for service in services}
    ctx.actions.write(manifest_file, manifest(
        label = ctx.label,
        services = services,
        test = {
            "file_lists": {name: runfiles_path(ctx.workspace_name, file) for name, file in lists.items()},
            "ports": _fixed_ports(ctx, services),
            "runner": "services",
            "workspace": ctx.workspace_name,
        },
        env = {},
        isolation = "transaction",
    ))
    stub = test_stub(ctx, manifest_file)
    return [
        DefaultInfo(
            executable = stub.executable,
            runfiles = stub.runfiles.merge(ctx.runfiles(files = lists.values())).merge_all([service.runfiles for service in services]),
        ),
        OutputGroupInfo(realservices_manifest = depset([manifest_file])),
    ]

service_group_rule = rule(
    implementation = _service_group_impl,
    doc = "See the macro `service_group`.",
    executable = True,
    attrs = STUB_ATTRS | {
        "ports": attr.string_dict(
            doc = "First ports of services by name.",
        ),
        "services": SERVICE_ATTRS["services"],
    },
)

def service_group(name, services, ports = {}, tags = [], **kwargs):
    """Services for development: `bazel run` starts them as a test would and keeps them until Ctrl-C.

    ```python
    service_group(name = "services", services = [":auth_server", ":db"], ports = {"db": 15432})
    ```

    See docs/service_group.md.

    Args:
      name: Name of the target.
      services: Targets of service rules; those that they need come with them.
      ports: Fixed numbers for the first ports of services, by name of the service. All other ports are leased, as for a test.
      tags: As in all rules. The macro adds one, by which ibazel reports a build to the group instead of ending it.
      **kwargs: What all rules have: `visibility` and others.
    """
    for service, port in ports.items():
        if type(port) != "int":
            misuse(native.package_relative_label(name), "ports", "%s: %s" % (repr(service), repr(port)), "a whole number for each service")
    service_group_rule(
        name = name,
        # Services are often testonly, as tests are all that use them.
        testonly = kwargs.pop("testonly", True),
        services = services,
        ports = {service: str(port) for service, port in ports.items()},
        tags = tags + ["ibazel_notify_changes"],
        **kwargs
    )
