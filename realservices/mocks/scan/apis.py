"""The names of the libraries that make mocks, and what each does."""

from __future__ import annotations

from realservices.mocks.scan_model import Form

LIBRARIES = ("unittest.mock", "mock.mock", "mock", "asynctest.mock", "asynctest", "pytest_mock.mocker")
"""Modules with the names of `unittest.mock`; the last stands for the fixture `mocker`."""
MOCKER = "pytest_mock.mocker"
MOCKER_FIXTURES = frozenset({"mocker", "class_mocker", "module_mocker", "package_mocker", "session_mocker"})
MOCKER_TYPES = frozenset(
    f"{module}.{name}"
    for module in ("pytest_mock", "pytest_mock.plugin")
    for name in ("MockerFixture", "MockFixture", "PytestMockFixture")
)
MONKEYPATCH_TYPES = frozenset({"pytest.MonkeyPatch", "_pytest.monkeypatch.MonkeyPatch"})
MONKEYPATCH = "pytest.MonkeyPatch"
_CLASSES = (
    "Mock", "MagicMock", "AsyncMock", "NonCallableMock", "NonCallableMagicMock", "PropertyMock", "ThreadingMock",
    "CoroutineMock", "mock_open",
)  # fmt: skip
_OF_MOCKER = ("spy", "stub", "async_stub")
_PATCHES = ("patch", "patch.object", "patch.dict", "patch.multiple", "patch.context_manager")
_OTHERS = {
    "pretend.stub": Form.MOCK,
    "flexmock.flexmock": Form.MOCK,
    "mockito.mock": Form.MOCK,
    "mockito.when": Form.PATCH_CALL,
    "mockito.patch": Form.PATCH_CALL,
    "mockito.spy2": Form.PATCH_CALL,
    "testfixtures.Replace": Form.PATCH_CALL,
    "testfixtures.Replacer": Form.PATCH_CALL,
    "testfixtures.mock.Mock": Form.MOCK,
    "doublex.Stub": Form.MOCK,
    "doublex.Spy": Form.MOCK,
    "doublex.Mock": Form.MOCK,
    "alchemy_mock.mocking.UnifiedAlchemyMagicMock": Form.MOCK,
    "alchemy_mock.mocking.AlchemyMagicMock": Form.MOCK,
    "mock_alchemy.mocking.UnifiedAlchemyMagicMock": Form.MOCK,
    "mock_alchemy.mocking.AlchemyMagicMock": Form.MOCK,
}
# What only mocks are called: enough where a helper module outside of the project hands them on.
_UNMISTAKABLE = ("MagicMock", "AsyncMock", "NonCallableMock", "PropertyMock", "CoroutineMock", "create_autospec",
                 "mock_open", "mock.patch", "mock.Mock", "patch.object", "patch.multiple")  # fmt: skip

_LAST_NAMES = frozenset(name.rpartition(".")[2] for name in _UNMISTAKABLE)


def _table() -> dict[str, Form]:
    table = dict(_OTHERS)
    for library in LIBRARIES:
        table |= {f"{library}.{name}": Form.MOCK for name in _CLASSES}
        table |= {f"{library}.{name}": Form.PATCH_CALL for name in _PATCHES}
        table[f"{library}.create_autospec"] = Form.AUTOSPEC
    table |= {f"{MOCKER}.{name}": Form.MOCK for name in _OF_MOCKER}
    table[f"{MOCKER}.spy"] = Form.PATCH_CALL
    return table


TABLE = _table()
"""Form by full name; a patch is a call until it is seen to be a decorator or a context manager."""
_STAR = frozenset({*_CLASSES, "patch", "create_autospec", "sentinel", "ANY", "call", "DEFAULT", "FILTER_DIR", "seal"})


def is_library(full: str) -> bool:
    """Return whether a name that is imported is a library of mocks, or of it."""
    return full.startswith(("unittest.mock", "mock.", "asynctest", "pytest_mock.")) or full == "mock"


def exported_by_star(module: str) -> frozenset[str]:
    """Return the names that a star import of a mock library brings."""
    return _STAR if module in LIBRARIES else frozenset()


def form_of(full: str) -> Form | None:
    """Return what a callable does, by its full name."""
    form = TABLE.get(full)
    if form or full.rpartition(".")[2] not in _LAST_NAMES:
        return form
    for name in _UNMISTAKABLE:
        if full.endswith(f".{name}") and not full.startswith((*LIBRARIES, "builtins.")):
            return TABLE.get(f"unittest.mock.{name.removeprefix('mock.')}")
    return None


def kind_of_patch(api: str) -> str:
    """Return "object", "dict", "multiple", … or "" for a plain patch; None-like "-" for what is no patch."""
    before, _, last = api.rpartition(".")
    if last in ("patch", "context_manager"):
        return ""
    return last if before.endswith("patch") else "-"


def is_mock_class(full: str) -> bool:
    """Return whether a class is one of mocks, so that its subclasses are too."""
    return form_of(full) is Form.MOCK
