"""An aspect that compiles the Python sources of other repositories, once for all tests that import them.

A package of a pip hub comes without .pyc files, and a sandbox keeps none: without this each test action compiles all
that it imports of them, 2 s for pytest, asyncpg and redis-py. The workspace's own sources change too often for it.
"""

load("@rules_python//python:py_info.bzl", "PyInfo")
load(":python_interpreter.bzl", "ISOLATED_FLAGS", "interpreter_attr", "python_interpreter")

CompiledPythonInfo = provider(
    doc = "What the aspect has made for a target, and for what it depends on.",
    fields = {"archives": "depset of File: compiled modules; realservices/fixtures/compiled_imports.py reads them."},
)

def _member(file):
    # What runfiles call it.
    return file.short_path.removeprefix("../") + "=" + file.path

def _compiled(ctx, sources):
    python = python_interpreter(ctx.attr._python)
    output = ctx.actions.declare_file(ctx.rule.attr.name + ".realservices.compiled")
    members = ctx.actions.args()
    members.use_param_file("%s", use_always = True)
    members.set_param_file_format("multiline")
    members.add_all(sources, map_each = _member)
    ctx.actions.run(
        executable = python.executable,
        arguments = ISOLATED_FLAGS + [ctx.file._tool.path, output.path, members],
        env = {},
        inputs = sources + [ctx.file._tool],
        tools = python.files,
        outputs = [output],
        mnemonic = "RealservicesCompile",
        progress_message = "Compiling Python of %{label}",
        toolchain = None,
    )
    return output

def _compiled_python_impl(target, ctx):
    dependencies = getattr(ctx.rule.attr, "deps", None) or []
    below = [each[CompiledPythonInfo].archives for each in dependencies if CompiledPythonInfo in each]
    sources = []
    if target.label.workspace_name and PyInfo in target:
        given = [file for source in getattr(ctx.rule.attr, "srcs", None) or [] for file in source.files.to_list()]
        sources = [file for file in given if file.extension == "py" and not file.is_directory]
    return [CompiledPythonInfo(archives = depset([_compiled(ctx, sources)] if sources else [], transitive = below))]

compiled_python = aspect(
    implementation = _compiled_python_impl,
    doc = "Compiles the sources of other repositories among a library and its dependencies.",
    attr_aspects = ["deps"],
    attrs = {
        "_python": interpreter_attr("exec"),
        "_tool": attr.label(
            default = ":compile_sources.py",
            allow_single_file = True,
        ),
    },
)

def compiled_archives(targets):
    """Returns the archives of targets that an attribute with the aspect names.

    Args:
      targets: list of targets.

    Returns:
      depset of File.
    """
    return depset(transitive = [target[CompiledPythonInfo].archives for target in targets])
