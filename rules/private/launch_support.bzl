"""What all tests have alike, computed once: how the launcher starts, and what pytest runs with.

As attributes of every test these would be eight more edges of the build graph for each of them, through the aliases of
replaceable packages: with thousands of targets, a good part of the analysis.
"""

load("@rules_python//python:py_info.bzl", "PyInfo")
load(":compiled_python.bzl", "compiled_archives", "compiled_python")
load(":import_roots.bzl", "library_imports")
load(":labels.bzl", "runfiles_path")
load(":python_interpreter.bzl", "ISOLATED_FLAGS", "interpreter_attr", "python_interpreter")

LaunchInfo = provider(
    doc = "How a stub starts the launcher.",
    fields = {
        "coverage_imports": "list of string: import path of coverage.py; empty where no coverage is collected.",
        "coverage_runfiles": "runfiles: likewise.",
        "runfiles": "runfiles: the launcher and the interpreter.",
        "stub": "File: template of the stub.",
        "substitutions": "dict: all but the manifest.",
    },
)

PytestInfo = provider(
    doc = "The libraries that run the tests: pytest and its plugins.",
    fields = {
        "compiled": "depset of File: archives of their compiled modules.",
        "imports": "list of string: import path, in the order of the libraries.",
        "runfiles": "runfiles: their files.",
    },
)

def _launch_support_impl(ctx):
    python = python_interpreter(ctx.attr._python)
    coverage = ctx.attr.coverage
    return [LaunchInfo(
        coverage_imports = library_imports(coverage[PyInfo]),
        coverage_runfiles = coverage[DefaultInfo].default_runfiles,
        runfiles = ctx.runfiles(files = [ctx.file.launcher], transitive_files = python.files),
        stub = ctx.file.stub,
        substitutions = {
            "%archive%": runfiles_path(ctx.workspace_name, ctx.file.launcher),
            "%flags%": " ".join(ISOLATED_FLAGS),
            "%interpreter%": "$runfiles/" + runfiles_path(ctx.workspace_name, python.file) if python.file else python.path,
        },
    )]

launch_support = rule(
    implementation = _launch_support_impl,
    doc = "One target for all tests.",
    attrs = {
        "coverage": attr.label(doc = "coverage.py.", mandatory = True, providers = [PyInfo]),
        "launcher": attr.label(doc = "The package, as an archive.", mandatory = True, allow_single_file = True),
        "stub": attr.label(doc = "Template of the stub.", mandatory = True, allow_single_file = True),
        "_python": interpreter_attr("target"),
    },
)

def _pytest_support_impl(ctx):
    return [PytestInfo(
        compiled = compiled_archives(ctx.attr.libraries),
        imports = {path: None for library in ctx.attr.libraries for path in library_imports(library[PyInfo])}.keys(),
        runfiles = ctx.runfiles().merge_all([library[DefaultInfo].default_runfiles for library in ctx.attr.libraries]),
    )]

pytest_support = rule(
    implementation = _pytest_support_impl,
    doc = "One target for all tests that pytest runs.",
    attrs = {
        "libraries": attr.label_list(
            doc = "pytest, then its plugins.",
            aspects = [compiled_python],
            mandatory = True,
            providers = [PyInfo],
        ),
    },
)
