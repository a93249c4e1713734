"""The attribute `test_runner`: runners that do not know Bazel, and that the launcher tells what Bazel wants.

realservices/launcher/test_runners.py has the words of each.
"""

load(":misuse.bzl", "misuse")

TEST_RUNNERS = ["bats", "go", "jest", "junit", "mocha", "node", "playwright", "rust", "vitest"]

# Those that can run a part of their tests, or list them.
SHARDING_RUNNERS = ["go", "jest", "node", "playwright", "rust", "vitest"]

def checked_test_runner(ctx):
    """Refuses a runner that is not known.

    Args:
      ctx: context of the rule `real_service_test`.

    Returns:
      string: the attribute, "" where it is not set.
    """
    runner = ctx.attr.test_runner
    if runner and runner not in TEST_RUNNERS:
        misuse(
            ctx.label,
            "test_runner",
            repr(runner),
            "%s; none for a program that knows Bazel's variables itself, such as those of rules_go, java_test and googletest (its shards need 'test_shards = True')" %
            ", ".join([repr(name) for name in TEST_RUNNERS]),
        )
    if runner and ctx.attr.test_shards:
        misuse(ctx.label, "test_runner", "%s together with 'test_shards'" % repr(runner), "one of them: a program that knows Bazel's shards itself has no need to be told")
    return runner
