"""`package_program`: a program of the Python package as an executable target: a server, or a command for people."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")
load("@rules_python//python:py_info.bzl", "PyInfo")
load(":import_roots.bzl", "library_imports")
load(":labels.bzl", "runfiles_path")
load(":python_interpreter.bzl", "ISOLATED_FLAGS", "interpreter_attr", "python_interpreter")

def _quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"

def _options(ctx):
    options = [_quoted(option) for option in ctx.attr.options]
    for target, option in ctx.attr.files.items():
        options += [option, '"$runfiles/%s"' % runfiles_path(ctx.workspace_name, target[DefaultInfo].files.to_list()[0])]
    for target, option in ctx.attr.settings.items():
        value = target[BuildSettingInfo].value
        options += [option, _quoted(value)] if value else []
    return options

def _package_program_impl(ctx):
    python = python_interpreter(ctx.attr._python)
    imports = {path: None for library in ctx.attr.libraries for path in library_imports(library[PyInfo])}
    stub = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.expand_template(
        template = ctx.file._stub,
        output = stub,
        is_executable = True,
        substitutions = {
            "%archive%": runfiles_path(ctx.workspace_name, ctx.file.archive),
            "%flags%": " ".join(ISOLATED_FLAGS),
            "%interpreter%": "$runfiles/" + runfiles_path(ctx.workspace_name, python.file) if python.file else python.path,
            "%module%": ctx.attr.module,
            "%options%": " ".join(_options(ctx)),
            "%paths%": ":".join(["$runfiles/" + path for path in imports]),
        },
    )
    runfiles = ctx.runfiles(files = [ctx.file.archive], transitive_files = python.files).merge_all(
        [target[DefaultInfo].default_runfiles for target in ctx.attr.libraries + ctx.attr.files.keys()],
    ).merge_all([
        ctx.runfiles(transitive_files = target[DefaultInfo].files)
        for target in ctx.attr.files
        # What has runfiles says itself in which shape it is there: a directory, or the files in it.
        if not target[DefaultInfo].default_runfiles.files
    ])
    return [DefaultInfo(executable = stub, files = depset([stub]), runfiles = runfiles)]

package_program = rule(
    implementation = _package_program_impl,
    doc = """A program of the Python package, run as the launcher is: by the toolchain's interpreter, from one archive.

Not a py_binary: that starts Python twice, and needs the package as a library among a test's inputs.
""",
    attrs = {
        "archive": attr.label(
            doc = "The package.",
            default = "//realservices:realservices.zip",
            allow_single_file = True,
        ),
        "files": attr.label_keyed_string_dict(
            doc = "Targets of one file or directory, with the option that its path is given to.",
            allow_files = True,
        ),
        "libraries": attr.label_list(doc = "Third-party Python libraries that the program imports.", providers = [PyInfo]),
        "module": attr.string(doc = "The module below realservices that has its `main`: `programs.llm_replay`.", mandatory = True),
        "options": attr.string_list(doc = "The first options."),
        "settings": attr.label_keyed_string_dict(
            doc = "Build settings, with the option that the value is given to, if it is not empty.",
            providers = [BuildSettingInfo],
        ),
        "_python": interpreter_attr("target"),
        "_stub": attr.label(
            default = ":program_stub.sh",
            allow_single_file = True,
        ),
    },
    executable = True,
)
