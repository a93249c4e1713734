"""The macro `executable_service`: any executable target as a service of a test."""

load(":env.bzl", "absolute_references", "absolute_text")
load(":executable_service_rule.bzl", _executable_service = "executable_service")
load(":readiness.bzl", "ready_attributes")

def executable_service(
        name,
        binary,
        args = None,
        env = None,
        url = None,
        websocket_url = None,
        ready = None,
        **kwargs):
    """Any executable target, in any language, as a service of a test: fresh for each test action and gone with it.

    ```python
    executable_service(
        name = "auth_server",
        binary = ":auth",
        args = ["--port", "$(port http)"],
        env = {"DATABASE_URL": "$(url :db)"},
        ready = http_ready("/health"),
        services = [":db"],
    )
    ```

    `args`, `env` and `ready` may refer to what is known only when the test starts:

    | reference | stands for |
    |---|---|
    | `$(port)`, `$(port admin)` | the first port of the service itself, or a port of it by name |
    | `$(host)`, `$(url)` | the address of the service itself |
    | `$(password)` | a random password for each test action; in `env` and `url` only |
    | `$(url :db)` | the URL of a service in `services`; likewise `host`, `port`, `user`, `password`, `database`, `socket`, `websocket_url` |
    | `$(port :other admin)` | a port of another service by name |
    | `$(rootpath :file)` | the absolute path of a file in `data` |

    See docs/services.md.

    Args:
      name: Name of the target, and of the service unless `service_name` says another.
      binary: Any executable target. It must stay in the foreground and end when it gets `stop_signal`.
      args: Arguments of the program. Every user of the machine can read them: put a password into `env`.
      env: Environment of the program, beside PATH, HOME, TMPDIR and RUNFILES_DIR.
      url: What `$(url :name)` and `REALSERVICES_<NAME>_URL` say. Default: `http://$(host):$(port)`.
      websocket_url: WebSocket address, such as `ws://$(host):$(port http)/ws`. Default: nowhere.
      ready: `http_ready(…)`, `tcp_ready(…)`, `log_ready(…)` or `exec_ready(…)`. Default: every port accepts connections.
      **kwargs: The attributes below, and what all rules have: `tags`, `visibility` and others.
    """
    kwargs.setdefault("testonly", True)
    resolve = lambda text: absolute_text(text, native.package_relative_label, keep_names = True)
    texts = {"url": url, "websocket_url": websocket_url}
    _executable_service(
        name = name,
        binary = binary,
        args = [resolve(arg) for arg in args] if type(args) == "list" else args,
        env = absolute_references(env, native.package_relative_label, keep_names = True),
        **(kwargs | {key: resolve(text) if type(text) == "string" else text for key, text in texts.items() if text != None} |
           ready_attributes(ready, resolve))
    )
