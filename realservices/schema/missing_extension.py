"""What to do where a PostgreSQL lacks the extension or the library that a schema wants: told after its own words."""

from __future__ import annotations

import glob
import os
import re

# The server's words from 15 on, and 14's; a library of the extension or of a setting, or what that library needs.
_MISSING = (
    re.compile(r'extension "(?P<name>[^"]+)" is not available'),
    re.compile(r'could not open extension control file "[^"]*/(?P<name>[^"/]+)\.control"'),
    re.compile(r'could not load library "[^"]*/(?P<name>[^"/]+)\.(?:so|dylib)"'),
    re.compile(r'could not access file "(?:[^"]*/)?(?P<name>[^"/]+)": No such file'),
)
_UNLOADED = re.compile(r"(?P<name>\w+) (?:can only|must) be loaded via \"?shared_preload_libraries")
# What extensions bring, in the server's words where it is not there.
_ABSENT = re.compile(
    r'ERROR:  (?:function (?:\w+\.)?(?P<function>\w+)\(|type "(?:\w+\.)?(?P<type>\w+)" does not exist'
    r'|operator class "(?:\w+\.)?(?P<class>\w+)" does not exist|access method "(?P<method>\w+)" does not exist'
    r'|data type \w+ has no default operator class for access method "(?P<gist>gist|gin)"'
    r'|text search dictionary "(?P<dictionary>\w+)" does not exist)'
)
_BROUGHT = (
    (re.compile(r"uuid_(?:generate_v|nil|ns_)\w*"), "uuid-ossp"),
    (
        re.compile(r"gen_random_bytes|crypt|gen_salt|digest|hmac|pgp_\w+|armor|dearmor|(?:en|de)crypt(?:_iv)?"),
        "pgcrypto",
    ),
    (re.compile(r"(?:word_|strict_word_)?similarity|show_trgm|g(?:in|ist)_trgm_ops"), "pg_trgm"),
    (re.compile(r"citext|hstore|ltree|lquery|cube|seg|isbn|earthdistance|unaccent|tablefunc|intarray"), ""),
    (re.compile(r"crosstab\w*|connectby"), "tablefunc"),
    (re.compile(r"levenshtein\w*|soundex|(?:d?metaphone\w*)"), "fuzzystrmatch"),
    (re.compile(r"(?:half|sparse)?vec(?:tor)?(?:_\w+_ops)?|hnsw|ivfflat"), "vector"),
    (re.compile(r"geometry|geography|raster|st_\w+"), "postgis"),
    (re.compile(r"gist|gin"), "btree_{0}"),
    (re.compile(r"earth|ll_to_earth|earth_distance"), "earthdistance"),
    (re.compile(r"dblink\w*"), "dblink"),
)
_MACHINES_OWN = "/usr/share/postgresql/*/extension/{name}.control"
# Debian's packages have the major version in their names, and then, but for these, the extension's name.
_PACKAGES = {
    "pg_cron": "postgresql-17-cron",
    "pg_partman": "postgresql-17-partman",
    "pg_repack": "postgresql-17-repack",
    "plperl": "postgresql-plperl-17",
    "plpython3u": "postgresql-plpython3-17",
    "postgis": "postgresql-17-postgis-3",
    "postgis_raster": "postgresql-17-postgis-3",
    "postgis_topology": "postgresql-17-postgis-3",
    "vector": "postgresql-17-pgvector",
}
# By kinds/postgres/sources/completed.py.
_FETCHED = ("pgcrypto", "uuid-ossp")
_IN_SERVERS_PACKAGE = ("pgcrypto", "sslinfo", "uuid-ossp", "xml2")


def remedy_for_extension(message: str) -> str:
    """Return what to do about an extension that is missing, or nothing if the message is not about one.

    Args:
        message: What the user is told, with the server's words in it.
    """
    unloaded = _UNLOADED.search(message)
    if unloaded:
        name = unloaded["name"]
        return f"\n  {name} is loaded when the server starts: add shared_preload_libraries = {name!r} to settings"
    found = next((match for pattern in _MISSING if (match := pattern.search(message))), None)
    return f"\n{take_another(found['name'])}" if found else ""


def remedy_for_absent(message: str) -> str:
    """Return what to do where a statement names what an extension brings, and that is not there; else nothing.

    Args:
        message: The server's, from its first word on.
    """
    found = _ABSENT.match(message)
    name = next(filter(None, found.groups()), "").lower() if found else ""
    extension = next((brought or name for words, brought in _BROUGHT if words.fullmatch(name)), "").format(name)
    return (
        f'the extension {extension} brings it: let an earlier migration say CREATE EXTENSION "{extension}", or write '
        f'extensions = ["{extension}"] on the service; where it was made in a schema, that is to be in search_path'
        if extension
        else ""
    )


def take_another(name: str) -> str:
    """Return which PostgreSQL has an extension, and how it is taken."""
    directory, known = _machines_own(name)
    bazels = f'in MODULE.bazel realservices.postgres(path = "{directory}")'
    pytests = f"REALSERVICES_POSTGRES={directory} in the environment"
    if name in _FETCHED:
        pytests = f"`python -m realservices fetch`, once; or {pytests}"
    if name in _IN_SERVERS_PACKAGE:
        # The default has two of them; a build that lacks them is another one.
        bazels = f'attribute distribution = "@rules_realservices//third_party/postgres:18", or {bazels}'
    return f"  {name!r} is not in this PostgreSQL; {known}\n    under Bazel: {bazels}\n    in plain pytest: {pytests}"


def _machines_own(name: str) -> tuple[str, str]:
    """Return the directory of a PostgreSQL to take, and how it comes to have the extension."""
    for control in sorted(glob.glob(_MACHINES_OWN.format(name=glob.escape(name))), reverse=True):
        directory = f"/usr/lib/postgresql/{control.split(os.sep)[4]}"
        if os.path.exists(f"{directory}/bin/postgres"):
            return directory, f"this machine has one with it in {directory}. Take that:"
    package = "postgresql-17" if name in _IN_SERVERS_PACKAGE else _PACKAGES.get(name, f"postgresql-17-{name}")
    return "/usr/lib/postgresql/17", f"take one that has it (Debian: apt-get install {package}, or of another version):"
