"""The rule behind `executable_service`: checks the declaration and describes the service for the launcher.

The macro in executable_service.bzl is what users call.
"""

load("@rules_python//python:py_info.bzl", "PyInfo")
load("//rules:providers.bzl", "ServiceInfo")
load(":compiled_python.bzl", "compiled_python")
load(":env_references.bzl", "check_names", "encode_text")
load(":kinds.bzl", "kind_info")
load(":labels.bzl", "label_text", "runfiles_path")
load(":misuse.bzl", "misuse")
load(":names.bzl", "is_name")
load(":readiness.bzl", "readiness")
load(":references.bzl", "OWN_FIELDS")
load(":service.bzl", "SERVICE_ATTRS", "service_info", "service_infos", "start_order")

_EXECUTABLE = kind_info(name = "executable", fields = OWN_FIELDS)
_SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL"]
_DEFAULT_URL = "http://$(host):$(port)"
_OWN_PASSWORD = {"field": "password", "service": ""}

def _check(ctx):
    ports = ctx.attr.ports
    for index, port in enumerate(ports):
        if not is_name(port):
            misuse(ctx.label, "ports", repr(port), "lower-case letters, digits and '_', starting with a letter")
        if port in ports[:index]:
            misuse(ctx.label, "ports", "%s twice" % repr(port), "each name once")
    if ctx.attr.ready_timeout_s < 1:
        misuse(ctx.label, "ready_timeout_s", repr(ctx.attr.ready_timeout_s), "seconds, at least 1")
    if ctx.attr.grace_s < 0:
        misuse(ctx.label, "grace_s", repr(ctx.attr.grace_s), "seconds, at least 0")
    if ctx.attr.stop_signal not in _SIGNALS:
        misuse(ctx.label, "stop_signal", repr(ctx.attr.stop_signal), ", ".join(_SIGNALS))
    check_names(ctx, "env", ctx.attr.env)

def _program(ctx, attribute):
    """Returns the executable of the target in an attribute, and the runfiles that it needs."""
    target = getattr(ctx.attr, attribute)
    info = target[DefaultInfo]
    executable = info.files_to_run.executable if info.files_to_run else None
    if not executable:
        shown = "binary" if attribute == "binary" else "ready"
        misuse(ctx.label, shown, "%s is not executable" % label_text(target.label), "a binary or an executable file")
    return executable, ctx.runfiles(files = [executable]).merge(info.default_runfiles)

def _environment(ctx, services):
    # The environment that the binary's own rule gives it, then the service's.
    own = ctx.attr.binary[RunEnvironmentInfo].environment if RunEnvironmentInfo in ctx.attr.binary else {}
    return {name: [value] for name, value in own.items()} | {
        name: encode_text(ctx, services, "env", "%s = " % name, value, own_ports = ctx.attr.ports)
        for name, value in ctx.attr.env.items()
    }

def _executable_service_impl(ctx):
    _check(ctx)
    ports = ctx.attr.ports
    services = start_order(ctx.label, service_infos(ctx))
    encode = lambda attribute, value: encode_text(ctx, services, attribute, "", value, own_ports = ports)
    program, runfiles = _program(ctx, "binary")
    ready = readiness(ctx.label, ctx.attr.ready, ports)
    if ctx.attr.ready_program:
        checker, checker_runfiles = _program(ctx, "ready_program")
        runfiles = runfiles.merge(checker_runfiles)
        ready |= {
            "args": [encode("ready", arg) for arg in ctx.attr.ready_args],
            "program": runfiles_path(ctx.workspace_name, checker),
        }
    url = ctx.attr.url if ports or ctx.attr.url != _DEFAULT_URL else ""
    url = encode("url", url)
    env = _environment(ctx, services)
    return [
        DefaultInfo(files = depset([program])),
        service_info(
            ctx,
            kind = _EXECUTABLE,
            config = {
                "args": [encode("args", arg) for arg in ctx.attr.args],
                "env": env,
                "grace_s": ctx.attr.grace_s,
                "password": any([_OWN_PASSWORD in parts for parts in env.values() + [url]]),
                "ports": ports,
                "program": runfiles_path(ctx.workspace_name, program),
                "ready": ready,
                "ready_timeout_s": ctx.attr.ready_timeout_s,
                "stop_signal": ctx.attr.stop_signal,
                "url": url,
                "websocket_url": encode("websocket_url", ctx.attr.websocket_url),
            },
            runfiles = runfiles.merge(ctx.runfiles(files = ctx.files.data)).merge_all(
                [target[DefaultInfo].default_runfiles for target in ctx.attr.data],
            ),
            clients = ctx.attr.clients,
        ),
        coverage_common.instrumented_files_info(ctx, dependency_attributes = ["binary", "services"]),
    ]

executable_service = rule(
    implementation = _executable_service_impl,
    doc = "The rule behind the macro `executable_service`.",
    attrs = SERVICE_ATTRS | {
        "args": attr.string_list(doc = "Arguments of the program."),
        "binary": attr.label(
            doc = "Any executable target.",
            allow_files = True,
            cfg = "target",
            mandatory = True,
        ),
        "clients": attr.label_list(
            doc = "Python libraries that fixtures for this service import.",
            aspects = [compiled_python],
            default = ["//third_party/python:httpx", "//third_party/python:websockets"],
            providers = [PyInfo],
        ),
        "data": attr.label_list(
            doc = "Files that the program reads at run time.",
            allow_files = True,
        ),
        "env": attr.string_dict(doc = "Environment of the program."),
        "grace_s": attr.int(
            doc = "Seconds from `stop_signal` until the service is killed.",
            default = 5,
        ),
        "ports": attr.string_list(
            doc = "Names of the ports that the service listens on, the main one first: `[a-z][a-z0-9_]*`. All of them are open when it is ready.",
            default = ["http"],
        ),
        "ready": attr.string(doc = "Set by the macro: its `ready` as JSON."),
        "ready_args": attr.string_list(doc = "Set by the macro: the arguments of `ready_program`."),
        "ready_program": attr.label(
            doc = "Set by the macro: the program of `exec_ready`.",
            allow_files = True,
            cfg = "target",
        ),
        "ready_timeout_s": attr.int(
            doc = "Seconds from the start of the program until it must be ready.",
            default = 60,
        ),
        "stop_signal": attr.string(
            doc = "Signal that asks the service to end, when a test stops it and when coverage is collected.",
            default = "SIGTERM",
        ),
        "url": attr.string(
            doc = "The URL that clients get.",
            default = _DEFAULT_URL,
        ),
        "websocket_url": attr.string(doc = "The WebSocket URL that clients get."),
    },
    provides = [ServiceInfo],
)
