"""Turns the attribute `env` of a test into the manifest's form, with every service reference checked."""

load(":env.bzl", "RESERVED_TEXT", "is_reserved", "parse_value")
load(":kinds.bzl", "FIELDS", "KINDS")
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

def service_reference(label, services, word, argument):
    """Resolves one `$(field label)`.

    Args:
      label: Label of the test.
      services: list of ServiceInfo that the test has.
      word: the field.
      argument: the label as text.

    Returns:
      tuple: dict for the manifest, or None; and None, or a tuple of what was found and what is allowed.
    """

    # The macro wrote `@@//` (`@//` without bzlmod) for what the user called `//` or `:`.
    shown = argument.lstrip("@") if argument.lstrip("@").startswith("//") else argument
    found = "$(%s)" % (word + " " + shown).strip()
    by_label = {_key(service.label): service for service in services}
    service = by_label.get(canonical(label, argument)) if argument else None
    if not service:
        labels = ", ".join([label_text(known.label) for known in services])
        return None, (found + " names no service of this test", labels or "nothing, as 'services' is empty")
    if word not in KINDS[service.kind]:
        return None, (found + ": a service of kind %s has no %s" % (repr(service.kind), word), ", ".join(sorted(KINDS[service.kind])))
    return {"field": word, "service": service.name}, None

def _encode(ctx, services, attribute, part):
    if type(part) == "string":
        return part
    expression = "$(%s)" % (part.word + " " + part.argument).strip()
    if part.word in FIELDS:
        reference, error = service_reference(ctx.label, services, part.word, part.argument)
        if error:
            misuse(ctx.label, attribute, *error)
        return reference
    if part.word in _LOCATIONS:
        # A test runs in its runfiles, where only a runfiles-relative path exists; "location" alone would be an exec path.
        word = part.word.replace("location", "rootpath") if part.word.startswith("location") else part.word
        return ctx.expand_location("$(%s %s)" % (word, part.argument), ctx.attr.data)
    if not part.argument and part.word in ctx.var:
        return ctx.var[part.word]
    return misuse(ctx.label, attribute, expression, "$(FIELD SERVICE) with one of %s; $(PATH LABEL) with one of %s; or a Make variable" % (
        ", ".join(FIELDS),
        ", ".join(_LOCATIONS),
    ))

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
    encoded = {}
    for name, value in ctx.attr.env.items():
        parts, error = parse_value(value)
        if error:
            misuse(ctx.label, "env", "%s = %s: %s" % (name, repr(value), error), '$(…), or "$$" for a dollar sign')
        encoded[name] = [_encode(ctx, services, "env", part) for part in parts]
    return encoded
