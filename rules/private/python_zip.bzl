"""`python_zip`: a Python package as one archive that the interpreter runs directly.

One file instead of dozens: each runfile costs a symlink per test action, and importing from the archive, compiled,
starts faster than a directory of sources.
"""

load(":python_interpreter.bzl", "ISOLATED_FLAGS", "interpreter_attr", "python_interpreter")

def _destination(file):
    if file.short_path.startswith("../"):
        return "/".join(file.short_path.split("/")[2:])
    return file.short_path

def _python_zip_impl(ctx):
    python = python_interpreter(ctx.attr._python)
    output = ctx.actions.declare_file(ctx.label.name)
    args = ctx.actions.args()
    args.add_all(ISOLATED_FLAGS)
    args.add(ctx.file._tool)
    args.add("--output", output)
    args.add(ctx.file.main, format = "__main__.py=%s")
    for file in ctx.files.srcs:
        args.add(file, format = _destination(file) + "=%s")
    ctx.actions.run(
        executable = python.executable,
        arguments = [args],
        env = {},
        inputs = ctx.files.srcs + [ctx.file.main, ctx.file._tool],
        tools = python.files,
        outputs = [output],
        mnemonic = "RealservicesZip",
        progress_message = "Packing %{label}",
        toolchain = None,
    )
    return [DefaultInfo(files = depset([output]))]

python_zip = rule(
    implementation = _python_zip_impl,
    doc = "Packs Python files, with their compiled form beside them, into one reproducible archive.",
    attrs = {
        "main": attr.label(
            doc = "The module that `python ARCHIVE` runs.",
            allow_single_file = [".py"],
            mandatory = True,
        ),
        "srcs": attr.label_list(
            doc = "The modules; each keeps its path in the repository.",
            allow_files = [".py"],
            mandatory = True,
        ),
        "_python": interpreter_attr("exec"),
        "_tool": attr.label(
            default = ":build_zip.py",
            allow_single_file = True,
        ),
    },
)
