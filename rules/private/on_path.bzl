"""The attribute `on_path`: clients of services that the test program finds on its PATH.

realservices/launcher/path_programs.py puts them there.
"""

load(":misuse.bzl", "misuse")

# By program: the kind of service that it comes with.
PATH_PROGRAMS = {
    "clickhouse-client": "clickhouse",
    "pg_dump": "postgres",
    "pg_isready": "postgres",
    "pg_restore": "postgres",
    "pgbench": "postgres",
    "psql": "postgres",
    "redis-cli": "redis",
}

def checked_on_path(ctx, services):
    """Refuses programs that are not known, or that none of the test's services brings along.

    Args:
      ctx: context of the rule `real_service_test`.
      services: tuple of ServiceInfo that the test has.

    Returns:
      list of strings, each once.
    """
    kinds = {service.kind: None for service in services}
    for name in ctx.attr.on_path:
        if name not in PATH_PROGRAMS:
            misuse(ctx.label, "on_path", repr(name), ", ".join(PATH_PROGRAMS))
        if PATH_PROGRAMS[name] not in kinds:
            misuse(ctx.label, "on_path", "%s, which comes with a %s_service" % (repr(name), PATH_PROGRAMS[name]), "programs of services that the test has")
    return {name: None for name in ctx.attr.on_path}.keys()
