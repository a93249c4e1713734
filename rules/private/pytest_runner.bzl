"""The part of a manifest that says how pytest runs the test files of a `real_service_test`."""

load("@rules_python//python:py_info.bzl", "PyInfo")
load(":compiled_python.bzl", "compiled_archives")
load(":hidden_files.bzl", "refuse_hidden")
load(":import_roots.bzl", "library_imports")
load(":labels.bzl", "runfiles_path")
load(":launch_support.bzl", "PytestInfo")
load(":misuse.bzl", "misuse")
load(":service.bzl", "python_clients")

def is_test_file(basename):
    """Whether pytest collects tests from a file of this name; any other one is only there to be imported.

    Args:
      basename: the name without directories.
    """
    return basename.endswith("_test.py") or (basename.startswith("test_") and basename.endswith(".py"))

def _import_roots(workspace_name, library, sources):
    # As with py_test, the root of each repository whose sources are used is importable, unless the repository says by
    # `imports` where its packages are: an entry that is not needed costs a look on disk for every module.
    imports = library_imports(library)
    stated = {path.split("/")[0]: None for path in imports}

    # Most are of the workspace, and are done with at one look.
    paths = [file.short_path for file in sources]
    others = {path.split("/")[1]: None for path in paths if path.startswith("../")}
    return [workspace_name] + [repo for repo in others if repo not in stated] + imports

def pytest_runner(ctx, services):
    """Checks and describes a test of Python sources.

    Args:
      ctx: context of the rule `real_service_test`.
      services: tuple of ServiceInfo that the test has.

    Returns:
      tuple: dict for the manifest's `test`, and the runfiles that it needs.
    """
    for file in ctx.files.srcs:
        if file.extension != "py" or file.is_directory:
            misuse(ctx.label, "srcs", repr(file.short_path), "Python files (.py); other files go to 'data'")
    test_files = [file for file in ctx.files.srcs if is_test_file(file.basename)]
    if not test_files:
        misuse(
            ctx.label,
            "srcs",
            "no test file among " + ", ".join([repr(file.basename) for file in ctx.files.srcs]),
            "at least one file named test_*.py or *_test.py",
        )

    library = ctx.attr.pytest_library[PyInfo]
    sources = library.transitive_sources.to_list()
    refuse_hidden(ctx.label, sources, "_test")
    clients = python_clients(services)
    imports = _import_roots(ctx.workspace_name, library, sources)
    pytest = ctx.attr.pytest[PytestInfo]
    imports += pytest.imports
    for client in clients:
        imports += client.imports

    compiled = depset(transitive = [compiled_archives([ctx.attr.pytest_library]), pytest.compiled] + [
        getattr(client, "compiled", depset())  # A rule of a user's own does not say it.
        for client in clients
    ])
    runfiles = ctx.runfiles(files = ctx.files.srcs, transitive_files = compiled).merge_all(
        [ctx.attr.pytest_library[DefaultInfo].default_runfiles, pytest.runfiles] +
        [client.runfiles for client in clients],
    )
    durations = ctx.file.durations
    if durations:
        runfiles = runfiles.merge(ctx.runfiles(files = [durations]))
    return {
        "compiled": [runfiles_path(ctx.workspace_name, archive) for archive in compiled.to_list()],
        "durations": runfiles_path(ctx.workspace_name, durations) if durations else None,
        "files": [runfiles_path(ctx.workspace_name, file) for file in test_files],
        "import_paths": {path: None for path in imports}.keys(),
        "runner": "pytest",
    }, runfiles
