"""Turns the attribute `env` of a test into the manifest's form, with every service reference checked."""

load(":env.bzl", "RESERVED_TEXT", "is_label", "is_reserved", "parse_value")
load(":kinds.bzl", "FIELDS", "KINDS", "port_names")
load(":labels.bzl", "label_text")
load(":misuse.bzl", "misuse")

_LOCATIONS = ["location", "locations", "rootpath", "rootpaths", "rlocationpath", "rlocationpaths", "execpath", "execpaths"]

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
    if word not in KINDS[service.kind]:
        return None, (found + ": a service of kind %s has no %s" % (repr(service.kind), word), ", ".join(sorted(KINDS[service.kind])))
    if word == "websocket_url" and not service.config["websocket_url"]:
        return None, (found + ": %s has no 'websocket_url'" % label_text(service.label), "services that set 'websocket_url'")
    if word == "password" and not service.config.get("password", True):
        return None, (found + ": %s gives its program no $(password)" % label_text(service.label), "services that do")
    reference = {"field": word, "service": service.name}
    if not port:
        return _with_main_port(reference, found, port_names(service))
    return _with_port(reference, found, port, port_names(service))

def _with_main_port(reference, found, ports):
    if not ports and reference["field"] in ["host", "port", "url"]:
        return None, (found + ": the service has no ports", "services with 'ports'")
    return reference, None

def _with_port(reference, found, port, ports):
    if reference["field"] != "port":
        return None, (found + ": only $(port …) takes the name of a port", "$(%s SERVICE)" % reference["field"])
    if port not in ports:
        return None, (found + ": the service has no port %s" % repr(port), _known(ports))
    return reference | {"port": port}, None

def own_reference(word, argument, ports):
    """Resolves one `$(port)`, `$(port name)`, `$(host)` or `$(url)` of a service itself.

    Args:
      word: the field.
      argument: the name of a port, or "".
      ports: list of the service's port names.

    Returns:
      as `service_reference`.
    """
    found = "$(%s)" % (word + " " + argument).strip()
    reference = {"field": word, "service": ""}
    if word not in KINDS["executable"]:
        return None, (found + ": the service itself has no %s; a reference to another one names its label" % word, ", ".join(KINDS["executable"]))
    return _with_port(reference, found, argument, ports) if argument else _with_main_port(reference, found, ports)

def _encode(ctx, services, attribute, part, own_ports):
    if type(part) == "string":
        return [part]
    expression = "$(%s)" % (part.word + " " + part.argument).strip()
    is_service = own_ports != None
    if part.word in FIELDS:
        if is_service and not is_label(part.argument):
            reference, error = own_reference(part.word, part.argument, own_ports)
            if not error and part.word.endswith("url") and attribute.endswith("url"):
                error = (expression + " within '%s'" % attribute, "$(host), $(port NAME) and references to other services")
            if not error and part.word == "password" and attribute in ["args", "ready"]:
                error = (expression + ", which every user of the machine could read there", "$(password) within 'env' and 'url'")
        else:
            reference, error = service_reference(ctx.label, services, part.word, part.argument, "'services'" if is_service else "this test")
        if error:
            misuse(ctx.label, attribute, *error)
        return [reference]
    if part.word in _LOCATIONS:
        return _location(ctx, part, is_service)
    if not part.argument and part.word in ctx.var:
        return [ctx.var[part.word]]
    return misuse(ctx.label, attribute, expression, "$(FIELD SERVICE) with one of %s; $(PATH LABEL) with one of %s; or a Make variable" % (
        ", ".join(FIELDS),
        ", ".join(_LOCATIONS),
    ))

def _location(ctx, part, is_service):
    if is_service:
        # A service runs in a directory of its own, where only an absolute path leads to a runfile.
        paths = ctx.expand_location(
            "$(rlocationpath%s %s)" % ("s" if part.word.endswith("s") else "", part.argument),
            ctx.attr.data + [ctx.attr.binary],
        )
        if part.word.startswith("rlocation"):
            return [paths]
        files = []
        for path in paths.split(" "):
            files += ([" "] if files else []) + [{"file": path}]
        return files

    # A test runs in its runfiles, where only a runfiles-relative path exists; "location" alone would be an exec path.
    word = part.word.replace("location", "rootpath") if part.word.startswith("location") else part.word
    return [ctx.expand_location("$(%s %s)" % (word, part.argument), ctx.attr.data)]

def encode_text(ctx, services, attribute, name, value, own_ports = None):
    """Encodes one text with references.

    Args:
      ctx: context of a rule with the attribute `data`, and `binary` if it is a service's.
      services: tuple of ServiceInfo that the target has.
      attribute: the attribute that holds the text.
      name: what stands before the text in it, for messages, or "".
      value: the text.
      own_ports: list of the port names of a service that may refer to itself, or None.

    Returns:
      list of strings and of dicts, see realservices/contract/environment.py.
    """
    parts, error = parse_value(value)
    if error:
        misuse(ctx.label, attribute, "%s%s: %s" % (name, repr(value), error), '$(…), or "$$" for a dollar sign')
    encoded = []
    for part in parts:
        encoded += _encode(ctx, services, attribute, part, own_ports)
    return encoded

def check_names(ctx, attribute, names):
    """Refuses environment variables that belong to Bazel or to the launcher.

    Args:
      ctx: context of the test.
      attribute: the attribute they stand in.
      names: the variables.
    """
    for name in names:
        if not name or "=" in name:
            misuse(ctx.label, attribute, repr(name), "names without '='")
        if is_reserved(name):
            misuse(ctx.label, attribute, repr(name), RESERVED_TEXT)

def encode_env(ctx, services):
    """Encodes the attribute `env`.

    Args:
      ctx: context of a rule with the attributes `env` and `data`.
      services: tuple of ServiceInfo that the test has.

    Returns:
      dict for the manifest: for each variable a list of strings and of dicts with `service` and `field`.
    """
    check_names(ctx, "env", ctx.attr.env)
    return {
        name: encode_text(ctx, services, "env", "%s = " % name, value)
        for name, value in ctx.attr.env.items()
    }
