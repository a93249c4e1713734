"""Repository rule: stands where no package exists for a platform, and says so when a test needs it."""

_BUILD = """\
load("{rule}", "unavailable_binary")

unavailable_binary(
    name = "{target}",
    message = {message},
    visibility = ["//visibility:public"],
)
"""

def _unavailable_binary_impl(ctx):
    fail(ctx.attr.message)

unavailable_binary = rule(
    implementation = _unavailable_binary_impl,
    doc = "Fails at analysis. Not when it is loaded: a query over all platforms must still work.",
    attrs = {
        "message": attr.string(doc = "What to tell the user.", mandatory = True),
    },
)

def _unavailable_binary_repo_impl(rctx):
    rctx.file("BUILD.bazel", _BUILD.format(
        message = repr(rctx.attr.message),
        rule = Label(":unavailable_binary_repo.bzl"),
        target = rctx.attr.target,
    ), executable = False)

unavailable_binary_repo = repository_rule(
    implementation = _unavailable_binary_repo_impl,
    doc = "A repository whose only target fails with a message.",
    attrs = {
        "message": attr.string(doc = "What to tell the user.", mandatory = True),
        "target": attr.string(doc = "Name of the target.", mandatory = True),
    },
)
