"""The analytics worker as a service of tests."""

load("@rules_realservices//rules:defs.bzl", "executable_service", "log_ready")

def analytics_worker(name, *, cache, olap, **kwargs):
    """Declares a worker between stores of the caller's.

    Args:
      name: name of the target.
      cache: a redis_service, from whose stream events come.
      olap: a clickhouse_service, where they go.
      **kwargs: further attributes of executable_service.
    """
    executable_service(
        name = name,
        binary = "//analytics:worker",
        env = {
            "CLICKHOUSE_URL": "$(url %s)" % olap,
            "REDIS_URL": "$(url %s)" % cache,
        },
        ports = [],  # nobody speaks to it
        ready = log_ready("analytics is at work"),
        services = [
            cache,
            olap,
        ],
        **kwargs
    )
