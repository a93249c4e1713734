"""References in what a migrator is given: `$(url)` and its like stand for its own server, `$(rootpath …)` for a file."""

load(":env_references.bzl", "parsed")
load(":misuse.bzl", "misuse")
load(":references.bzl", "file_parts")

# The address, but for what is a secret.
_PUBLIC = ["host", "port", "user", "database", "socket"]
_LOCATIONS = ["location", "locations", "rootpath", "rootpaths", "execpath", "execpaths"]

def _text(part):
    return "$(%s)" % (part.word + " " + part.argument).strip()

def _reference(ctx, attribute, part, kind, ports, is_public):
    shown = _text(part)
    if part.word == "port" and part.argument:
        if part.argument not in ports:
            misuse(ctx.label, attribute, shown, ", ".join(["$(port %s)" % port for port in ports]) or "$(port)")
        return {"field": "port", "port": part.argument, "service": ""}
    forms = kind.url_forms if part.word == "url" else []
    if part.argument in forms and not is_public:
        return {"driver": part.argument, "field": "url", "service": ""}
    if part.argument:
        allowed = ", ".join(["$(%s)" % part.word] + ["$(url %s)" % form for form in forms])
        misuse(ctx.label, attribute, shown + ": a migrator has the server of its own template, and no other", allowed)
    if is_public and part.word not in _PUBLIC:
        misuse(
            ctx.label,
            attribute,
            shown + ", which every user of the machine could read there",
            "it in 'migrate_env' of the service; programs take the password from PGPASSWORD with a URL without it: " +
            "postgresql://$(user)@$(host):$(port)/$(database)",
        )
    return {"field": part.word, "service": ""}

def migrate_text(ctx, attribute, name, value, *, targets, kind, ports = (), is_public = False):
    """Encodes one text with references.

    Args:
      ctx: context of the rule.
      attribute: the attribute that holds the text.
      name: what stands before the text in it, for messages, or "".
      value: the text.
      targets: list of Target whose files it may refer to.
      kind: what `kind_info` returns: of the server.
      ports: names of the server's ports.
      is_public: whether every user of the machine can read the text, so that no secret may be in it.

    Returns:
      list of strings and of dicts, see realservices/contract/environment.py.
    """
    encoded = []
    for part in parsed(ctx.label, attribute, name, value):
        if type(part) == "string":
            encoded.append(part)
        elif part.word in kind.fields:
            encoded.append(_reference(ctx, attribute, part, kind, ports, is_public))
        elif part.word in _LOCATIONS:
            encoded += file_parts(ctx.expand_location("$(execpaths %s)" % part.argument, targets))
        elif not part.argument and part.word in ctx.var:
            encoded.append(ctx.var[part.word])
        else:
            misuse(ctx.label, attribute, name + _text(part), "%s; $(PATH LABEL) with one of %s; or a Make variable" % (
                ", ".join(["$(%s)" % field for field in kind.fields]),
                ", ".join(_LOCATIONS),
            ))
    return encoded

def refuse_unknown_fields(label, attribute, shown, parts, kind, ports):
    """Refuses references that the server of this kind has nothing for.

    Args:
      label: Label of the service.
      attribute: the attribute that names who holds the text.
      shown: who holds the text.
      parts: list, as of `migrate_text`.
      kind: what `kind_info` returns: of the server.
      ports: names of its ports.
    """
    for part in parts:
        if type(part) != "dict" or "file" in part:
            continue
        if part["field"] not in kind.fields or part.get("port", "") not in [""] + ports:
            found = "%s says $(%s)" % (shown, (part["field"] + " " + part.get("port", "")).strip())
            misuse(label, attribute, found, "what a server of kind %s has: %s" % (repr(kind.name), ", ".join(kind.fields + ["port " + port for port in ports])))
