"""Repository rule: the CPython version that the user named, for the BUILD files of //third_party/python to load."""

load("//third_party/python:versions.bzl", "PYTHON_VERSIONS")

def _python_choice_repo_impl(rctx):
    if rctx.attr.version and rctx.attr.version not in PYTHON_VERSIONS:
        fail("realservices.python: version is {}; expected one of {}.".format(
            repr(rctx.attr.version),
            ", ".join(PYTHON_VERSIONS),
        ))
    rctx.file("BUILD.bazel", "", executable = False)
    rctx.file("choice.bzl", "CHOSEN_VERSION = {}\n".format(repr(rctx.attr.version)), executable = False)

python_choice_repo = repository_rule(
    implementation = _python_choice_repo_impl,
    doc = "Hands a version from MODULE.bazel or WORKSPACE to the build configuration.",
    attrs = {
        "version": attr.string(doc = "CPython version as 3.12. Empty: the build configuration decides."),
    },
)
