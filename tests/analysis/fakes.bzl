"""Rules that stand for what a user may write: a service of any kind and name, and a directory."""

load("@rules_python//python:py_info.bzl", "PyInfo")
load("//rules:defs.bzl", "ServiceInfo")
load("//rules/private:compiled_python.bzl", "compiled_python")  # buildifier: disable=bzl-visibility
load("//rules/private:kinds.bzl", "kind_info")  # buildifier: disable=bzl-visibility
load("//rules/private:service.bzl", "SERVICE_ATTRS", "service_info")  # buildifier: disable=bzl-visibility

_FIELDS = ["url", "host", "port", "password", "database", "socket"]

def _fake_service_impl(ctx):
    return [service_info(
        ctx,
        kind = kind_info(name = ctx.attr.kind, fields = _FIELDS, programs = ["redis-cli"]),
        config = {},
        runfiles = ctx.runfiles(),
        client = ctx.attr.client,
    )]

fake_service = rule(
    implementation = _fake_service_impl,
    doc = "A service that declares itself to be of any kind; it cannot be started.",
    attrs = SERVICE_ATTRS | {
        "client": attr.label(
            doc = "Library that fixtures of this kind would import.",
            aspects = [compiled_python],
            default = ":client",
            providers = [PyInfo],
        ),
        "kind": attr.string(
            doc = "The kind.",
            default = "redis",
        ),
    },
    provides = [ServiceInfo],
)

def _fake_directory_impl(ctx):
    directory = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(outputs = [directory], command = "exit 1")
    return [DefaultInfo(files = depset([directory]))]

fake_directory = rule(
    implementation = _fake_directory_impl,
    doc = "A generated directory, for attributes that must not take one.",
)

def _fake_program_impl(ctx):
    program = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(program, "", is_executable = True)
    return [
        DefaultInfo(executable = program, runfiles = ctx.runfiles(files = ctx.files.data)),
        RunEnvironmentInfo({"FROM_PROGRAM": "1"}, ["INHERITED_BY_PROGRAM"]),
        coverage_common.instrumented_files_info(ctx, source_attributes = ["srcs"]),
    ]

fake_program = rule(
    implementation = _fake_program_impl,
    doc = "An executable with an environment, runfiles and instrumented sources of its own.",
    executable = True,
    attrs = {
        "data": attr.label_list(
            doc = "Files for the runfiles.",
            allow_files = True,
        ),
        "srcs": attr.label_list(
            doc = "Sources that are instrumented.",
            allow_files = True,
        ),
    },
)
