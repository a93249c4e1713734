"""A directory of installed programs, in the two shapes that its users need."""

def _installed_directory_impl(ctx):
    return [
        DefaultInfo(
            files = depset([ctx.file.directory]),
            runfiles = ctx.runfiles(files = [ctx.file.directory] + ctx.files.libraries),
        ),
        OutputGroupInfo(contents = depset(ctx.files.contents)),
    ]

installed_directory = rule(
    implementation = _installed_directory_impl,
    doc = """Shows a directory as one file, and its contents as the output group `contents`.

As one file it is a single symlink in the sandbox of a test, however many files it has. A build action should take the output group:
Bazel does not look into a directory that is the input of an action, and warns of it.
""",
    attrs = {
        "contents": attr.label_list(
            doc = "Every file of the directory and of the libraries.",
            allow_files = True,
            mandatory = True,
        ),
        "directory": attr.label(doc = "The directory.", allow_single_file = True, mandatory = True),
        "libraries": attr.label_list(doc = "Directories that the programs load from: runfiles.", allow_files = True),
    },
)
