"""A directory of installed programs, in the shapes that its users need."""

load("//rules/private:packed_directory.bzl", "PACKING_ATTRS", "is_remote", "packed_directory")
load("//rules/private:postgres_empty.bzl", "empty_template")

def _installed_directory_impl(ctx):
    contents = depset(ctx.files.contents)
    packed = packed_directory(ctx, ctx.file.directory, contents)
    empty = empty_template(ctx, ctx.file.directory, contents)
    return [
        DefaultInfo(
            files = depset([ctx.file.directory]),
            runfiles = ctx.runfiles(
                files = ctx.files.contents if is_remote(ctx) else [ctx.file.directory] + ctx.files.libraries,
            ),
        ),
        OutputGroupInfo(
            contents = contents,
            empty_template = depset([empty.archive, empty.info], order = "preorder"),
            packed = depset([packed.archive, packed.info]),
        ),
    ]

installed_directory = rule(
    implementation = _installed_directory_impl,
    doc = """Shows a directory as one file, its contents as the output group `contents`, both packed as the group `packed`.

Of PostgreSQL's programs the group `empty_template` is the template that others begin from.

As one file it is a single symlink in the sandbox of a test, however many files it has. A build action should take the output group:
Bazel does not look into a directory that is the input of an action, and warns of it. A remote worker gets nothing by the label
of a directory: its runfiles are the contents there, or who needs many of them takes the archive.
""",
    attrs = PACKING_ATTRS | {
        "contents": attr.label_list(
            doc = "Every file of the directory and of the libraries.",
            allow_files = True,
            mandatory = True,
        ),
        "directory": attr.label(doc = "The directory.", allow_single_file = True, mandatory = True),
        "libraries": attr.label_list(doc = "Directories that the programs load from: runfiles.", allow_files = True),
    },
)
