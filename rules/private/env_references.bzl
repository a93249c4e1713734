"""Turns texts with references, such as the attribute `env`, into the manifest's form, with every reference checked."""

load(":env.bzl", "RESERVED_TEXT", "is_label", "is_reserved", "parse_value")
load(":kinds.bzl", "FIELDS")
load(":misuse.bzl", "misuse")
load(":references.bzl", "file_parts", "own_reference", "service_reference")

_LOCATIONS = ["location", "locations", "rootpath", "rootpaths", "rlocationpath", "rlocationpaths", "execpath", "execpaths"]

def _encode(ctx, services, attribute, part, own_ports):
    if type(part) == "string":
        return [part]
    expression = "$(%s)" % (part.word + " " + part.argument).strip()
    is_service = own_ports != None
    if part.word in FIELDS:
        if is_service and not is_label(part.argument):
            reference, error = own_reference(part.word, part.argument, own_ports, bool(ctx.attr.websocket_url))
            if not error and part.word.endswith("url") and attribute.endswith("url"):
                error = (expression + " within '%s'" % attribute, "$(host), $(port NAME) and references to other services")
            if not error and part.word == "password" and attribute in ["args", "ready"]:
                error = (expression + ", which every user of the machine could read there", "$(password) within 'env' and 'url'")
        else:
            reference, error = service_reference(ctx.label, services, part.word, part.argument, "'services'" if is_service else "this test")
        if error:
            misuse(ctx.label, attribute, *error)
        return [reference]
    locations = [word for word in _LOCATIONS if not (is_service and word.startswith("exec"))]
    if part.word in locations:
        return _location(ctx, part, is_service)
    if not part.argument and part.word in ctx.var:
        return [ctx.var[part.word]]
    return misuse(ctx.label, attribute, expression, "$(FIELD SERVICE) with one of %s; $(PATH LABEL) with one of %s; or a Make variable" % (
        ", ".join(FIELDS),
        ", ".join(locations),
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
        return file_parts(paths)

    # A test runs in its runfiles, where only a runfiles-relative path exists; "location" alone would be an exec path.
    word = part.word.replace("location", "rootpath") if part.word.startswith("location") else part.word
    return [ctx.expand_location("$(%s %s)" % (word, part.argument), ctx.attr.data)]

def parsed(label, attribute, name, value):
    """Splits one text at its references.

    Args:
      label: Label of the target that holds the text.
      attribute: the attribute that does.
      name: what stands before the text in it, for messages, or "".
      value: the text.

    Returns:
      list of strings and of structs, as of `parse_value`.
    """
    parts, error = parse_value(value)
    if error:
        misuse(label, attribute, "%s%s: %s" % (name, repr(value), error), '$(…), or "$$" for a dollar sign')
    return parts

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
    encoded = []
    for part in parsed(ctx.label, attribute, name, value):
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
