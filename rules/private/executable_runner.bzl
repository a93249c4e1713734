"""The part of a manifest that says how the executable of a `real_service_test` is run."""

load(":labels.bzl", "label_text", "runfiles_path")
load(":misuse.bzl", "misuse")
load(":service.bzl", "python_clients")
load(":test_runners.bzl", "SHARDING_RUNNERS", "checked_test_runner")

_ONLY_WITH_SRCS = ["deps", "imports", "durations"]

def _checkout(ctx, services):
    # What isolates is a Python program of the launcher's, which needs the services' clients.
    clients = python_clients(services)
    imports = {path: None for client in clients for path in client.imports}
    return {"checkout_paths": imports.keys()}, ctx.runfiles().merge_all([client.runfiles for client in clients])

def executable_runner(ctx, services):
    """Checks and describes a test that is an executable.

    Args:
      ctx: context of the rule `real_service_test`.
      services: tuple of ServiceInfo that the test has.

    Returns:
      tuple: dict for the manifest's `test`, and the runfiles that it needs.
    """
    for attribute in _ONLY_WITH_SRCS:
        if getattr(ctx.attr, attribute):
            misuse(
                ctx.label,
                attribute,
                "set together with 'test' (%s)" % label_text(ctx.attr.test.label),
                "'%s' only with 'srcs'; give it to the target that 'test' names" % attribute,
            )
    test_runner = checked_test_runner(ctx)
    if ctx.attr.shard_count > 1 and test_runner and test_runner not in SHARDING_RUNNERS:
        misuse(
            ctx.label,
            "shard_count",
            "%d, but test_runner %s cannot run a part of its tests" % (ctx.attr.shard_count, repr(test_runner)),
            "1; or one of the runners " + ", ".join(SHARDING_RUNNERS),
        )
    if ctx.attr.shard_count > 1 and not (ctx.attr.test_shards or test_runner):
        misuse(
            ctx.label,
            "shard_count",
            "%d, but nothing says that %s can run a part of its tests" % (ctx.attr.shard_count, label_text(ctx.attr.test.label)),
            "1; or 'test_shards = True' if the program honours TEST_SHARD_INDEX and TEST_TOTAL_SHARDS; or 'test_runner', one of %s; or 'srcs'" % ", ".join(SHARDING_RUNNERS),
        )
    program = ctx.attr.test[DefaultInfo]
    executable = program.files_to_run.executable if program.files_to_run else None
    if not executable:
        misuse(ctx.label, "test", "%s is not executable" % label_text(ctx.attr.test.label), "a test, a binary or an executable file")
    runfiles = ctx.runfiles(files = [executable]).merge(program.default_runfiles)
    described = {
        "program": runfiles_path(ctx.workspace_name, executable),
        "runner": "executable",
        "shards": ctx.attr.test_shards,
    }
    if test_runner:
        described["test_runner"] = test_runner
    if ctx.attr.checkout:
        checkout, clients = _checkout(ctx, services)
        return described | checkout, runfiles.merge(clients)
    return described, runfiles
