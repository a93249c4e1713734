"""What `$(url :db)`, `$(port :server admin)` and `$(port http)` refer to."""

load(":kinds.bzl", "port_names")
load(":labels.bzl", "label_text")

# What a service has that refers to itself: it is one of the user's own.
OWN_FIELDS = ["url", "websocket_url", "host", "port", "password"]

def _key(label):
    return "%s//%s:%s" % (label.repo_name, label.package, label.name)

def canonical(label, text):
    """Spells a label in the one way by which references and services are compared.

    Args:
      label: Label of the target in whose attribute the text stands.
      text: `:name`, `name`, `//package:name`, `//package`, or any of these with `@@repository` before it.

    Returns:
      string: `repository//package:name`, with the canonical name of the repository.
    """
    repo, slashes, path = text.lstrip("@").partition("//")
    if not slashes:
        return "%s//%s:%s" % (label.repo_name, label.package, text.removeprefix(":"))
    if not text.startswith("@"):
        repo = label.repo_name
    package, colon, name = path.partition(":")
    return "%s//%s:%s" % (repo, package, name if colon else package.split("/")[-1])

def _known(names):
    return ", ".join([repr(name) for name in names]) or "none"

def service_reference(label, services, word, argument, whose = "this test"):
    """Resolves one `$(field label)` or `$(port label name)`.

    Args:
      label: Label of the test, or of the service that needs others.
      services: list of ServiceInfo that it has.
      word: the field.
      argument: the label as text, then the name of a port, if there is one.
      whose: what messages call the target.

    Returns:
      tuple: dict for the manifest, or None; and None, or a tuple of what was found and what is allowed.
    """
    target, _, port = argument.partition(" ")
    port = port.strip()

    # The macro wrote `@@//` (`@//` without bzlmod) for what the user called `//` or `:`.
    shown = argument.lstrip("@") if argument.lstrip("@").startswith("//") else argument
    found = "$(%s)" % (word + " " + shown).strip()
    by_label = {_key(service.label): service for service in services}
    service = by_label.get(canonical(label, target)) if target else None
    if not service:
        labels = ", ".join([label_text(known.label) for known in services])
        return None, (found + " names no service of " + whose, labels or "nothing, as 'services' is empty")
    if word not in service.fields:
        return None, (found + ": a service of kind %s has no %s" % (repr(service.kind), word), ", ".join(sorted(service.fields)))
    if word == "websocket_url" and not service.config["websocket_url"]:
        return None, (found + ": %s has no 'websocket_url'" % label_text(service.label), "services that set 'websocket_url'")
    if word == "password" and not service.config.get("password", True):
        return None, (found + ": %s gives its program no $(password)" % label_text(service.label), "services that do")
    reference = {"field": word, "service": service.name}
    if not port:
        return _with_main_port(reference, found, port_names(service))
    if word == "url":
        return _with_form(reference, found, port, service)
    return _with_port(reference, found, port, port_names(service))

def _with_main_port(reference, found, ports):
    if not ports and reference["field"] in ["host", "port", "url"]:
        return None, (found + ": the service has no ports", "services with 'ports'")
    return reference, None

def _with_form(reference, found, form, service):
    if form not in service.url_forms:
        forms = ["$(url SERVICE FORM) with one of " + ", ".join(service.url_forms)] if service.url_forms else []
        return None, (found + ": after the service stands the form of a database's URL", "; ".join(["$(url SERVICE)"] + forms))
    return reference | {"driver": form}, None

def _with_port(reference, found, port, ports):
    if reference["field"] != "port":
        return None, (found + ": only $(port …) takes the name of a port", "$(%s SERVICE)" % reference["field"])
    if port not in ports:
        return None, (found + ": the service has no port %s" % repr(port), _known(ports))
    return reference | {"port": port}, None

def file_parts(paths):
    """Encodes paths of files, which become absolute where they are used.

    Args:
      paths: string, paths with blanks between them.

    Returns:
      list of strings and of dicts for the manifest.
    """
    parts = []
    for path in paths.split(" "):
        parts += ([" "] if parts else []) + [{"file": path}]
    return parts

def own_reference(word, argument, ports, has_websocket = False):
    """Resolves one `$(port)`, `$(port name)`, `$(host)` or `$(url)` of a service itself.

    Args:
      word: the field.
      argument: the name of a port, or "".
      ports: list of the service's port names.
      has_websocket: whether it sets `websocket_url`.

    Returns:
      as `service_reference`.
    """
    found = "$(%s)" % (word + " " + argument).strip()
    reference = {"field": word, "service": ""}
    if word not in OWN_FIELDS:
        return None, (found + ": the service itself has no %s; a reference to another one names its label" % word, ", ".join(OWN_FIELDS))
    if word == "websocket_url" and not has_websocket:
        return None, (found + ": the service has no 'websocket_url'", "services that set 'websocket_url'")
    return _with_port(reference, found, argument, ports) if argument else _with_main_port(reference, found, ports)
