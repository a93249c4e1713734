"""What a developer has set for PostgreSQL servers of his own changes none of our connections."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from realservices.kinds.postgres.isolation.administration import connect_kwargs
from realservices.kinds.postgres.libpq import libpq_environment
from realservices.sources.errors import SettingError
from realservices.sources.external_services import ExternalServices
from tests.sources.developers_variables import POISON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from realservices.contract.runtime import Endpoint

    Run = Callable[..., pytest.RunResult]

# Every kind of connection: transaction, database, blocking, environment, of a server's own, of the checks.
_TESTS = """
    import pytest
    from realservices.real_services import get_real_services

    def columns(name):
        return f"SELECT count(*) FROM information_schema.columns WHERE table_name = '{name}'"

    async def test_transaction(isolated_database):
        assert await isolated_database.fetchval(columns("items")) == 1
        assert await isolated_database.fetchval("SHOW search_path") == '"$user", public'
        assert await isolated_database.fetchval("SHOW DateStyle") == "ISO, MDY"

    def test_blocking(isolated_database_sync):
        assert isolated_database_sync.fetchval(columns("items")) == 1

    async def test_database(cloned_database):
        connection = await cloned_database.connect()
        assert await connection.fetchval(columns("items")) == 1
        assert cloned_database.connect_sync().fetchval(columns("items")) == 1

    @pytest.mark.asyncio(loop_scope="function")
    async def test_other_loop(comprehensive_test_environment):
        assert await comprehensive_test_environment["database"].fetchval(columns("items")) == 1

    @pytest.mark.requires_postgres
    async def test_check():
        await get_real_services().ensure_all_services_available()
"""


@pytest.fixture
def poisoned(alone: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment and a home directory that break every connection which heeds them."""
    home = tmp_path / "home"
    certificates = home / ".postgresql"
    certificates.mkdir(parents=True)
    for name in ("postgresql.crt", "postgresql.key", "root.crt", "root.crl"):
        (certificates / name).write_text("poison", "utf-8")
    (home / "poison").write_text("poison", "utf-8")
    for path in (".pgpass", "passwords"):
        (home / path).write_text("*:*:*:*:wrong\n", "utf-8")
        (home / path).chmod(0o644)
    for path in (".pg_service.conf", "services", "pg_service.conf"):
        (home / path).write_text("[developer]\nhost=/nowhere\nsslmode=verify-full\n", "utf-8")
    alone.setenv("XDG_CACHE_HOME", os.environ["TEST_TMPDIR"])
    alone.setenv("HOME", str(home))
    for name, value in POISON.items():
        alone.setenv(name, value.format(home=home))
    return home


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with a migration, and every kind of connection in its tests."""
    pytester.makefile(".sql", migration="CREATE TABLE items (name text);\n")
    pytester.makepyprojecttoml("""
        [tool.realservices.services.db]
        kind = "postgres"
        migrations = ["migration.sql"]
    """)
    pytester.makepyfile(_TESTS)
    return pytester


@pytest.fixture
def _own_programs(alone: pytest.MonkeyPatch) -> None:
    runfiles = Path(os.environ["RUNFILES_DIR"])
    alone.setenv("REALSERVICES_POSTGRES", str(runfiles / os.environ["POSTGRES_DISTRIBUTION"]))
    alone.setenv("REALSERVICES_REDIS", str(runfiles / os.environ["REDIS_SERVER"]))


@pytest.mark.usefixtures("poisoned", "project", "_own_programs")
def test_servers_of_the_sessions_own(run: Run) -> None:
    run().assert_outcomes(passed=5)


@pytest.mark.usefixtures("external", "poisoned", "project", "_own_programs")
def test_servers_of_others(run: Run) -> None:
    run().assert_outcomes(passed=5)


@pytest.mark.usefixtures("external", "poisoned")
def test_a_server_of_others_without_a_password(alone: pytest.MonkeyPatch) -> None:
    alone.delenv("TEST_POSTGRES_PASSWORD")
    assert connect_kwargs(ExternalServices({}).endpoint("postgres", "db"), "postgres")["password"] == ""


def test_psql_heeds_nothing_but_what_it_is_told(launched_postgres: Endpoint, poisoned: Path) -> None:
    assert (poisoned / ".pgpass").exists()
    service = launched_postgres
    env = libpq_environment(
        os.environ | {"PG_OWNER": "kept"},
        host=service.host, port=service.port, user=service.user, password=service.password, database="postgres",
    )  # fmt: skip
    psql = Path(os.environ["RUNFILES_DIR"]) / os.environ["POSTGRES_DISTRIBUTION"] / "bin" / "psql"
    ask = "SELECT current_database(), current_user, current_setting('application_name')"
    done = subprocess.run([psql, "-XAtqc", ask], env=env, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"postgres|{service.user}|psql\n", "")
    assert env["PG_OWNER"] == "kept"


# TLS, which the user of TEST_POSTGRES_HOST may want

# For 127.0.0.1, until 2126, signed by itself.
_CERTIFICATE = """
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgai2eUtWmeTYBlHdV
DLlPg5GOfIWU5ULbYq90lagqPgyhRANCAAQp0zfNerCgQCiG+2c+h6bIv35W+2j+
wP4o48L0wV54XhE4BVuP53tB4GOQq9vNOt65IHL5X4yuSUH0T+bR7s4I
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBkTCCATagAwIBAgIUDhESUD/PpEa173l7//FO2Lp9sZAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyOTAyMzIzM1oYDzIxMjYxMTA1
MDIzMjMzWjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQp0zfNerCgQCiG+2c+h6bIv35W+2j+wP4o48L0wV54XhE4BVuP53tB
4GOQq9vNOt65IHL5X4yuSUH0T+bR7s4Io2QwYjAdBgNVHQ4EFgQUHDukFOssOZxp
jzRu8kvdQaa/8b8wHwYDVR0jBBgwFoAUHDukFOssOZxpjzRu8kvdQaa/8b8wDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0kAMEYC
IQDTWeUTsEbATmHbbAcJ4pgKRZPtLUl74tt22KzEP0ko8AIhAPoN4+/zSf39UaZm
j3j+DnMXlckZhfDoIej+zGGXav2p
-----END CERTIFICATE-----
"""
_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """The certificate of `tls_server`, with its key."""
    path = tmp_path / "certificate.pem"
    path.write_text(_CERTIFICATE, "ascii")
    return path


@pytest.fixture
def tls_server(launched_postgres: Endpoint, certificate: Path, external: pytest.MonkeyPatch) -> Iterator[int]:
    """The target's PostgreSQL behind TLS: its port, which TEST_POSTGRES_PORT names. Nothing else is let in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = launched_postgres.host, launched_postgres.port
        threading.Thread(target=_serve, args=(listener, context, address), daemon=True).start()
        external.setenv("TEST_POSTGRES_PORT", str(listener.getsockname()[1]))
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, context: ssl.SSLContext, address: tuple[str, int]) -> None:
    with contextlib.suppress(OSError):  # The end of the test.
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_pass_on, args=(client, context, address), daemon=True).start()


def _pass_on(plain: socket.socket, context: ssl.SSLContext, address: tuple[str, int]) -> None:
    with contextlib.suppress(OSError), plain:
        if plain.recv(8) != _REQUEST:
            return
        plain.sendall(b"S")
        with context.wrap_socket(plain, server_side=True) as client, socket.create_connection(address) as server:
            threading.Thread(target=_copy, args=(server, client), daemon=True).start()
            _copy(client, server)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("mode", ["", "prefer", "require", "verify-ca", "verify-full"])
@pytest.mark.usefixtures("tls_server", "poisoned")
async def test_tls_is_had_by_a_variable_of_ours(external: pytest.MonkeyPatch, certificate: Path, mode: str) -> None:
    external.setenv("TEST_POSTGRES_SSLMODE", mode)
    if mode.startswith("verify"):
        external.setenv("TEST_POSTGRES_SSLROOTCERT", str(certificate))
    endpoint = ExternalServices({}).endpoint("postgres", "db")
    assert (f"sslmode={mode}" in endpoint.url) == bool(mode)
    assert ("sslrootcert=" in endpoint.url) == mode.startswith("verify")
    connection = await asyncpg.connect(**connect_kwargs(endpoint, "postgres"))
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


@pytest.mark.usefixtures("tls_server", "poisoned")
async def test_a_server_that_is_not_trusted(external: pytest.MonkeyPatch) -> None:
    external.setenv("TEST_POSTGRES_SSLMODE", "verify-full")
    external.setenv("TEST_POSTGRES_SSLROOTCERT", "system")
    endpoint = ExternalServices({}).endpoint("postgres", "db")
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncpg.connect(**connect_kwargs(endpoint, "postgres"))


@pytest.mark.parametrize(
    ("mode", "certificates", "message"),
    [
        ("yes", "", r"TEST_POSTGRES_SSLMODE='yes' is none of disable, prefer, require, verify-ca, verify-full"),
        ("verify-ca", "", r"TEST_POSTGRES_SSLMODE=verify-ca needs TEST_POSTGRES_SSLROOTCERT: the path"),
        (
            "verify-ca",
            "system",
            r"TEST_POSTGRES_SSLROOTCERT=system is safe with TEST_POSTGRES_SSLMODE=verify-full only",
        ),
        ("prefer", "/etc/hosts", r"'/etc/hosts' has no effect with TEST_POSTGRES_SSLMODE=prefer: take verify-full"),
        ("require", "/etc/hosts", r"'/etc/hosts' cannot be read as certificates: "),
        ("verify-full", "/no/file", r"'/no/file' cannot be read as certificates: .*No such file"),
    ],
)
def test_settings_that_are_refused(external: pytest.MonkeyPatch, mode: str, certificates: str, message: str) -> None:
    external.setenv("TEST_POSTGRES_SSLMODE", mode)
    external.setenv("TEST_POSTGRES_SSLROOTCERT", certificates)
    with pytest.raises(SettingError, match=message):
        ExternalServices({}).endpoint("postgres", "db")
