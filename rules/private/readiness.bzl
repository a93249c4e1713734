"""How an `executable_service` says that it serves: four functions for BUILD files, and the form for the manifest.

A rule's attribute cannot hold a struct, so the macro passes it on as JSON, and the label of a program beside it.
"""

load(":misuse.bzl", "misuse")

_FUNCTIONS = "http_ready(…), tcp_ready(…), log_ready(…) or exec_ready(…)"
_EVERY_GOOD_STATUS = [[200, 399]]

def http_ready(path = "/", port = None, status = None):
    """The service is ready when it answers a GET.

    Args:
      path: What to get, from `/` on.
      port: Name of the port to ask. Default: the first one.
      status: The statuses that count, such as `[200, 401]`. Default: every one from 200 to 399.

    Returns:
      A value for the attribute `ready`.
    """
    return struct(type = "http", path = path, port = port, status = status)

def tcp_ready(port = None):
    """The service is ready when it accepts connections.

    Args:
      port: Name of the port to connect to. Default: every port of the service.

    Returns:
      A value for the attribute `ready`.
    """
    return struct(type = "tcp", port = port)

def log_ready(pattern):
    """The service is ready when it has written a certain line.

    Args:
      pattern: Regular expression of Python, searched in each line of standard output and standard error.

    Returns:
      A value for the attribute `ready`.
    """
    return struct(type = "log", pattern = pattern)

def exec_ready(binary, args = None):
    """The service is ready when a program exits with code 0. It is run again until then, in the service's environment.

    Args:
      binary: Any executable target.
      args: Its arguments, with the same references as the service's own: `$(port)` and others.

    Returns:
      A value for the attribute `ready`.
    """
    return struct(type = "exec", binary = binary, args = args or [])

def ready_attributes(ready, resolve):
    """Returns the attributes by which the macro passes `ready` on to the rule.

    Args:
      ready: what the user wrote.
      resolve: function that makes the references in a text absolute.

    Returns:
      dict of attributes.
    """
    if ready == None:
        ready = tcp_ready()
    if type(ready) != "struct":
        return {"ready": json.encode({"found": repr(ready)})}
    if ready.type != "exec":
        return {"ready": json.encode(ready)}
    return {
        "ready": json.encode({"type": "exec"}),
        "ready_args": [resolve(arg) for arg in ready.args],
        "ready_program": ready.binary,
    }

def _check_port(label, port, ports):
    if not ports:
        misuse(label, "ready", "a service without ports cannot be asked by one", "log_ready(…) or exec_ready(…)")
    if port != None and port not in ports:
        misuse(label, "ready", "port = " + repr(port), "one of 'ports': " + ", ".join([repr(name) for name in ports]))

def _http(label, ready, ports):
    _check_port(label, ready["port"], ports)
    path, status = ready["path"], ready["status"]
    if type(path) != "string" or not path.startswith("/") or " " in path or "\n" in path or "\r" in path:
        misuse(label, "ready", "path = " + repr(path), "a path that starts with '/' and has no spaces")
    if status != None and (type(status) != "list" or not status or any([type(number) != "int" or number < 100 or number > 599 for number in status])):
        misuse(label, "ready", "status = " + repr(status), "a list of HTTP statuses, 100 to 599")
    return {
        "path": path,
        "port": ready["port"] or ports[0],
        "status": [[number, number] for number in status] if status else _EVERY_GOOD_STATUS,
        "type": "http",
    }

def readiness(label, text, ports):
    """Checks `ready` and brings it into the manifest's form; for `exec_ready`, program and arguments are to be added.

    Args:
      label: Label of the service.
      text: the rule's attribute `ready`.
      ports: list of the service's port names.

    Returns:
      dict for the manifest.
    """
    ready = json.decode(text)
    kind = ready.get("type")
    if kind == "http":
        return _http(label, ready, ports)
    if kind == "tcp":
        _check_port(label, ready["port"], ports)
        return {"ports": [ready["port"]] if ready["port"] else ports, "type": "tcp"}
    if kind == "log":
        if type(ready["pattern"]) != "string" or not ready["pattern"]:
            misuse(label, "ready", "pattern = " + repr(ready["pattern"]), "a regular expression that is not empty")
        return ready
    if kind == "exec":
        return ready
    return misuse(label, "ready", ready.get("found", text), _FUNCTIONS)
