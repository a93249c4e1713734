"""The attribute `on_path`: clients of services that the test program finds on its PATH.

realservices/launcher/path_programs.py puts them there.
"""

load(":misuse.bzl", "misuse")

def checked_on_path(ctx, services):
    """Refuses programs that none of the test's services brings along.

    Args:
      ctx: context of the rule `real_service_test`.
      services: tuple of ServiceInfo that the test has.

    Returns:
      list of strings, each once.
    """
    known = {program: None for service in services for program in service.programs}
    for name in ctx.attr.on_path:
        if name not in known:
            misuse(
                ctx.label,
                "on_path",
                "%s, which comes with none of the test's services" % repr(name),
                ", ".join(known) or "programs of services that the test has",
            )
    return {name: None for name in ctx.attr.on_path}.keys()
