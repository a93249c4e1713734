"""The auth service as a service of tests."""

load("@rules_realservices//rules:defs.bzl", "executable_service", "http_ready")

# What all servers of a test sign and verify tokens with.
SIGNING_KEY = "a signing key for the tests only"

def auth_server(name, *, db, cache, **kwargs):
    """Declares an auth server on stores of the caller's, so that other servers of the same test can share them.

    Args:
      name: name of the target.
      db: a postgres_service with `//auth:migrations`.
      cache: a redis_service.
      **kwargs: further attributes of executable_service.
    """
    executable_service(
        name = name,
        args = [
            "--port",
            "$(port http)",
        ],
        binary = "//auth:server",
        env = {
            "AUTH_SIGNING_KEY": SIGNING_KEY,
            "DATABASE_URL": "$(url %s)" % db,
            "REDIS_URL": "$(url %s)" % cache,
        },
        ready = http_ready("/health"),
        services = [
            cache,
            db,
        ],
        **kwargs
    )
