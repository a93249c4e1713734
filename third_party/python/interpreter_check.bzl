"""Fails early when compiled packages were fetched for another CPython than the toolchain runs."""

load("@rules_python//python:py_info.bzl", "PyInfo")
load(":machine_python.bzl", "is_machine_python")
load(":versions.bzl", "PYTHON_VERSIONS")

def _remedy(found):
    if found in PYTHON_VERSIONS:
        return "In MODULE.bazel write realservices.python(version = \"{}\").".format(found)
    return "Register a Python toolchain of one of these versions: {}.".format(", ".join(PYTHON_VERSIONS))

def _interpreter_check_impl(ctx):
    runtime = ctx.attr._toolchain[platform_common.ToolchainInfo].py3_runtime

    # The machine's python3 has no version before it runs; then there is nothing to compare.
    info = None if is_machine_python(runtime) else getattr(runtime, "interpreter_version_info", None)
    if info and getattr(info, "minor", None) != None:
        found = "{}.{}".format(info.major, info.minor)
        if found != ctx.attr.python_version:
            fail("{}: compiled packages are here for CPython {}, but the Python toolchain is {}. {}".format(
                ctx.label,
                ctx.attr.python_version,
                found,
                _remedy(found),
            ))
    return [DefaultInfo(), PyInfo(transitive_sources = depset())]

interpreter_check = rule(
    implementation = _interpreter_check_impl,
    doc = "A dependency of compiled packages that adds nothing and compares versions.",
    attrs = {
        "python_version": attr.string(doc = "CPython version that the packages were fetched for.", mandatory = True),
        "_toolchain": attr.label(default = "@rules_python//python:current_py_toolchain", doc = "The Python toolchain's runtime."),
    },
)
