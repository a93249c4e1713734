"""Which names the rules accept. Starlark has no regular expressions, hence the character sets."""

load(":misuse.bzl", "misuse")

_LOWER = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"

# What the isolation of tests calls its own.
_OWN_PREFIX = "realservices_"

# NAMEDATALEN - 1: PostgreSQL cuts longer identifiers off without an error.
_POSTGRES_NAME_BYTES = 63

def _consists_of(text, first, rest):
    if not text or text[0] not in first.elems():
        return False
    return all([char in rest for char in text.elems()])

def is_name(text):
    """Whether a service may have this name: `[a-z][a-z0-9_]*`.

    Args:
      text: the name.
    """
    return _consists_of(text, _LOWER, _LOWER + _DIGITS + "_")

def is_bucket_name(text):
    """Whether a bucket can have this name (Amazon's general purpose buckets): `[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]`, without `..`.

    Args:
      text: the name.
    """
    edge = _LOWER + _DIGITS
    return 3 <= len(text) and len(text) <= 63 and _consists_of(text, edge, edge + ".-") and text[-1] in edge and ".." not in text

def is_postgres_name(text):
    """Whether a database or role can be called this without quotes: `[a-z_][a-z0-9_]*`, at most 63 bytes.

    Args:
      text: the name.
    """
    return len(text) <= _POSTGRES_NAME_BYTES and _consists_of(text, _LOWER + "_", _LOWER + _DIGITS + "_")

def check_account(ctx, databases, user, owner):
    """Fails if `database` or `user` of a rule is no name, or one that the server or the isolation of tests has.

    Args:
      ctx: context of a rule with these attributes.
      databases: the databases that a server has by itself.
      user: the user that a server has by itself.
      owner: text: who has that user.
    """
    identifier = "up to 63 lower-case letters, digits and '_', starting with a letter or '_'"
    database = ctx.attr.database
    if not is_postgres_name(database) or database in databases or database.startswith(_OWN_PREFIX):
        misuse(ctx.label, "database", repr(database), "%s; not %s and %s…" % (identifier, ", ".join(databases), _OWN_PREFIX))
    if not is_postgres_name(ctx.attr.user) or ctx.attr.user == user:
        misuse(ctx.label, "user", repr(ctx.attr.user), "%s; not %s, which %s" % (identifier, user, owner))

def is_extension_name(text):
    """Whether a PostgreSQL extension can have this name; unlike other names it may hold `-`, as `uuid-ossp` does.

    Args:
      text: the name.
    """
    return len(text) <= _POSTGRES_NAME_BYTES and _consists_of(text, _LOWER, _LOWER + _DIGITS + "_-")

def is_locale_name(text):
    """Whether a locale can have this name: `en_US.UTF-8`, `sr_RS.UTF-8@latin`, `und-u-ks-level2`.

    Args:
      text: the name.
    """
    letters = _LOWER + _LOWER.upper()
    return _consists_of(text, letters, letters + _DIGITS + "_-.@")

def is_setting_name(text):
    """Whether a server setting can have this name: `work_mem`, `app.tenant` (PostgreSQL), `maxmemory-policy` (Redis).

    Args:
      text: the name.
    """
    return _consists_of(text, _LOWER + "_", _LOWER + _DIGITS + "_.-")
