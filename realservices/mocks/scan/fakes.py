"""Libraries of fakes: what they are called, which fixtures they bring, what they stand for."""

from __future__ import annotations

from typing import NamedTuple

from realservices.mocks.scan.scopes import INSTANCE
from realservices.mocks.scan_model import Service


class Fake(NamedTuple):
    """A library of fakes.

    Attributes:
        module: The module that its names begin with.
        names: Its callables, decorators and context managers that install or make a fake; a name ending in `*` stands
            for all with that beginning.
        service: What it stands for.
        fixtures: Fixtures of its pytest plugin.
    """

    module: str
    names: tuple[str, ...]
    service: Service
    fixtures: tuple[str, ...] = ()


LIBRARIES = (
    Fake("fakeredis", ("Fake*", "aioredis.Fake*"), Service.REDIS, ("fakeredis", "fake_redis_server")),
    Fake("mockredis", ("mock_*", "MockRedis", "client.*"), Service.REDIS),
    Fake("birdisle", ("Server", "redis.*", "aioredis.*"), Service.REDIS),
    Fake("mongomock", ("MongoClient", "patch", "Database", "Collection"), Service.OTHER),
    Fake("mongomock_motor", ("AsyncMongoMockClient",), Service.OTHER),
    Fake("pymongo_inmemory", ("MongoClient",), Service.OTHER),
    Fake("respx", ("mock", "MockRouter", "start"), Service.HTTP, ("respx_mock",)),
    Fake("responses", ("activate", "RequestsMock", "start", "mock.activate"), Service.HTTP, ("responses",)),
    Fake("aioresponses", ("aioresponses", "core.aioresponses"), Service.HTTP, ("aioresponses",)),
    Fake("requests_mock", ("Mocker", "mock", "Adapter", "MockerCore"), Service.HTTP, ("requests_mock",)),
    Fake("httpx", ("MockTransport",), Service.HTTP),
    Fake("pytest_httpx", ("HTTPXMock",), Service.HTTP, ("httpx_mock",)),
    Fake("httpretty", ("activate", "enable", "enabled", "httprettified", "httprettized"), Service.HTTP),
    Fake("vcr", ("use_cassette", "VCR"), Service.HTTP, ("vcr", "vcr_cassette")),
    Fake("betamax", ("Betamax",), Service.HTTP, ("betamax_session",)),
    Fake("pook", ("on", "use", "activate"), Service.HTTP),
    Fake("mocket", ("Mocketizer", "mocketize"), Service.HTTP),
    Fake("pyfakefs.fake_filesystem_unittest", ("Patcher", "TestCase", "patchfs"), Service.FILES,
         ("fs", "fs_class", "fs_module", "fs_session")),
    Fake("pyfakefs.fake_filesystem", ("FakeFilesystem",), Service.FILES),
    Fake("moto", ("mock_*", "server.ThreadedMotoServer"), Service.OTHER),
    Fake("freezegun", ("freeze_time", "api.freeze_time"), Service.TIME, ("freezer",)),
    Fake("time_machine", ("travel",), Service.TIME, ("time_machine",)),
    Fake("langchain_core.language_models", ("Fake*", "fake.Fake*", "fake_chat_models.*"), Service.LLM),
    Fake("langchain_core.embeddings", ("Fake*", "DeterministicFakeEmbedding", "fake.*"), Service.LLM),
    Fake("fakeldap", ("MockLDAP",), Service.OTHER),
)  # fmt: skip
FIXTURES = {fixture: library for library in LIBRARIES for fixture in library.fixtures}
_ROOTS = {library.module.partition(".")[0] for library in LIBRARIES}
MARKS = {
    "pytest.mark.vcr": FIXTURES["vcr"],
    "pytest.mark.default_cassette": FIXTURES["vcr"],
    "pytest.mark.freeze_time": FIXTURES["freezer"],
    "pytest.mark.time_machine": FIXTURES["time_machine"],
}


def library_of(full: str) -> Fake | None:
    """Return the library whose fake a full name is, such as "fakeredis.FakeRedis"."""
    if full.partition(".")[0] not in _ROOTS or f"{INSTANCE}." in full:
        return None  # What is called on a fake is none of its own.
    for library in LIBRARIES:
        if full.startswith(library.module + ".") and _is_in(library, full[len(library.module) + 1 :]):
            return library
    return None


def _is_in(library: Fake, name: str) -> bool:
    return any(
        name.startswith(known[:-1]) if known.endswith("*") else name == known for known in library.names
    )  # fmt: skip
