"""The BUILD file that every repository of a service binary has, and the check of what it shows."""

load(":fetch_repo.bzl", "apparent_name")

_PROGRAM = """\
package(default_visibility = ["//visibility:public"])

filegroup(
    name = "{target}",
    srcs = ["{output}"],
)
"""

_PROGRAM_WITH_FILES = """\
package(default_visibility = ["//visibility:public"])

filegroup(
    name = "{target}",
    srcs = ["{output}"],
    data = glob({patterns}),
)
"""

_DIRECTORY = """\
load("{rule}", "installed_directory")

package(default_visibility = ["//visibility:public"])

installed_directory(
    name = "{target}",
    contents = glob({patterns}),
    directory = "{output}",
    libraries = {libraries},
)
"""

def write_binary_build(rctx, libraries = [], beside = []):
    """Checks that the programs are there and writes the BUILD file.

    Args:
        rctx: context of a rule with the attributes `output`, `programs` and `target`.
        libraries: directories that the programs load from; those that exist become runfiles.
        beside: patterns of what a single program needs beside it, which become its runfiles.
    """
    expected = [rctx.attr.output + "/" + program for program in rctx.attr.programs] or [rctx.attr.output]
    missing = [path for path in expected if not rctx.path(path).exists]
    if missing:
        fail("@{}: expected the programs {}, but there is no {}.".format(
            apparent_name(rctx),
            ", ".join(expected),
            ", ".join(missing),
        ))
    existing = [directory for directory in libraries if rctx.path(directory).exists]
    single = _PROGRAM_WITH_FILES if beside else _PROGRAM
    rctx.file("BUILD.bazel", (_DIRECTORY if rctx.attr.programs else single).format(
        libraries = existing,
        output = rctx.attr.output,
        patterns = beside or [directory + "/**" for directory in [rctx.attr.output] + existing],
        rule = Label("//third_party:installed_directory.bzl"),
        target = rctx.attr.target,
    ), executable = False)
