"""Repository rules: service binaries that the user brings, as an archive or as a path on the machine."""

load(":binary_build_repo.bzl", "write_binary_build")
load(":fetch_repo.bzl", "apparent_name", "fetched", "watched_path")

_ATTRS = {
    "output": attr.string(doc = "Name of the directory or file that the repository shows.", mandatory = True),
    "programs": attr.string_list(doc = "Programs that a directory must have; empty if `output` is the program."),
    "target": attr.string(doc = "Name of the target that shows `output`.", mandatory = True),
}

def _archive_binary_repo_impl(rctx):
    into = rctx.attr.output if rctx.attr.programs else "archive"
    if rctx.attr.archive:
        rctx.extract(watched_path(rctx, rctx.attr.archive), output = into, stripPrefix = rctx.attr.strip_prefix)
    else:
        rctx.download_and_extract(
            rctx.attr.urls,
            output = into,
            sha256 = rctx.attr.sha256,
            stripPrefix = rctx.attr.strip_prefix,
        )
    if not rctx.attr.programs:
        program = "{}/{}".format(into, rctx.attr.program)
        if not rctx.path(program).exists:
            fail("@{}: the archive has no {} (below strip_prefix {}). Name the server with program = \"...\".".format(
                apparent_name(rctx),
                repr(rctx.attr.program),
                repr(rctx.attr.strip_prefix),
            ))
        rctx.symlink(program, rctx.attr.output)
    write_binary_build(rctx, beside = [into + "/**"] if rctx.attr.needs_archive else [])
    return fetched(rctx, reproducible = True)  # the archive decides

archive_binary_repo = repository_rule(
    implementation = _archive_binary_repo_impl,
    doc = "Unpacks an archive of the user's own.",
    attrs = _ATTRS | {
        "archive": attr.label(doc = "An archive file, instead of urls.", allow_single_file = True),
        "needs_archive": attr.bool(doc = "Whether the server needs what lies beside it in the archive."),
        "program": attr.string(doc = "Path of the server within the archive, where the repository shows one file."),
        "sha256": attr.string(doc = "SHA-256 of what the urls serve, in hex."),
        "strip_prefix": attr.string(doc = "Folder of the archive to take, without its own name."),
        "urls": attr.string_list(doc = "Where the archive is; each is tried."),
    },
)

def _path_binary_repo_impl(rctx):
    if not rctx.path(rctx.attr.path).exists:
        fail("@{}: path = {} does not exist on this machine.".format(apparent_name(rctx), repr(rctx.attr.path)))
    rctx.symlink(rctx.attr.path, rctx.attr.output)
    write_binary_build(rctx)

path_binary_repo = repository_rule(
    implementation = _path_binary_repo_impl,
    doc = "Links to what is installed on the machine. Builds are then as reproducible as that installation.",
    attrs = _ATTRS | {
        "path": attr.string(doc = "Absolute path of the directory or program.", mandatory = True),
    },
    local = True,
)
