"""The backend as a service of tests."""

load("@rules_realservices//rules:defs.bzl", "executable_service", "http_ready")
load("//auth:auth_server.bzl", "SIGNING_KEY")

def backend_server(name, *, db, cache, **kwargs):
    """Declares a backend on stores of the caller's; any number of them may share the same.

    Args:
      name: name of the target.
      db: a postgres_service with `//auth:migrations` and `//backend:migrations`.
      cache: a redis_service.
      **kwargs: further attributes of executable_service.
    """
    executable_service(
        name = name,
        args = [
            "--port",
            "$(port http)",
            "--chat-port",
            "$(port chat)",
        ],
        binary = "//backend:server",
        env = {
            "AUTH_SIGNING_KEY": SIGNING_KEY,
            "DATABASE_URL": "$(url %s)" % db,
            "REDIS_URL": "$(url %s)" % cache,
        },
        ports = [
            "http",
            "chat",
        ],
        ready = http_ready("/health"),
        services = [
            cache,
            db,
        ],
        websocket_url = "ws://$(host):$(port chat)/ws",
        **kwargs
    )
