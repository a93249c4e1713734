"""Repositories of our own tests only: client libraries, and migrators. No user of the ruleset declares them."""

load("//rules/private:pip_site_repo.bzl", "pip_site_repo")
load("//rules/private:wheel_binary_repo.bzl", "wheel_binary_repo")
load("//third_party/dbmate:versions.bzl", "DBMATE")
load("//third_party/python:versions.bzl", "PYTHON_VERSIONS")

def catalog_repository(version = ""):
    """Names the repository for a CPython version; without one, for the machine's python3."""
    return "realservices_catalog" + ("_" + version.replace(".", "_") if version else "")

def catalog_repositories():
    """Declares the repositories; a WORKSPACE calls this itself."""
    for version in [""] + PYTHON_VERSIONS:
        pip_site_repo(
            name = catalog_repository(version),
            lock = Label("//third_party/catalog:requirements.lock"),
            python_version = version,
        )

    for platform, sha256 in DBMATE.sha256.items():
        wheel_binary_repo(
            name = "realservices_dbmate_" + platform,
            keep = DBMATE.keep,
            kind = DBMATE.name,
            output = DBMATE.output,
            package = DBMATE.package,
            platform = platform,
            sha256 = sha256,
            target = DBMATE.target,
            version = DBMATE.version,
            wheel_root = DBMATE.wheel_root,
        )

def _catalog_impl(module_ctx):
    catalog_repositories()
    return module_ctx.extension_metadata(reproducible = True)

catalog = module_extension(
    implementation = _catalog_impl,
    doc = "Declares the repositories of client libraries and migrators, for our own tests.",
)
