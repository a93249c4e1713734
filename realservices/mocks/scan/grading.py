"""Say what makes a mock hard to convert, and which mocks are right to stay."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from realservices.mocks.scan.mock_usage import facts_of, side_effects
from realservices.mocks.scan.scopes import dotted
from realservices.mocks.scan_model import Form, Service

if TYPE_CHECKING:
    from realservices.mocks.scan.draft import Draft, Notes
    from realservices.mocks.scan.evidence import Verdict

_ORDER = frozenset(
    {
        "assert_has_awaits", "assert_has_calls", "attach_mock", "await_args_list", "call_args_list",
        "method_calls", "mock_calls",
    }
)  # fmt: skip
_OS_ERRORS = frozenset(
    {
        "BlockingIOError", "EnvironmentError", "FileExistsError", "FileNotFoundError", "IOError",
        "InterruptedError", "IsADirectoryError", "NotADirectoryError", "OSError", "PermissionError",
    }
)  # fmt: skip
_STAY_BY_SERVICE = {
    Service.TIME: "time: a test must be able to choose it",
    Service.RANDOM: "randomness: a test must be able to choose it",
    Service.LLM: "a paid API, whose answers also differ from call to call",
}
_PAID = ("stripe.", "twilio.", "sendgrid.", "plaid.", "braintree.", "paypalrestsdk.", "googlemaps.")
_MACHINE = (
    "sys.", "platform.", "os.name", "os.getpid", "os.uname", "os.cpu_count", "getpass.", "signal.", "os.kill",
    "os.fork", "builtins.input", "socket.gethostname", "psutil.", "atexit.", "resource.", "os.getuid",
    "os.geteuid", "os.get_terminal_size", "shutil.get_terminal_size", "shutil.disk_usage", "shutil.which",
    "os._exit",
)  # fmt: skip


def hard_of(draft: Draft, notes: Notes, verdict: Verdict) -> tuple[str, ...]:
    """Return what makes a conversion hard, in words."""
    found = dict.fromkeys(filter(None, (_side_effect(one) for one in side_effects(draft, notes))))
    for name, _, attributes in facts_of(draft, notes):
        for attribute in attributes:
            if attribute in _ORDER:
                found.setdefault(f"the order of calls is looked at: {name}.{attribute}")
    if verdict.service is Service.OWN_CODE:
        found.setdefault("it replaces the project's own code")
    return tuple(found)


def _side_effect(value: ast.expr) -> str:
    if isinstance(value, ast.Lambda):
        return "side_effect is a function"
    if isinstance(value, ast.List | ast.Tuple):
        return "side_effect gives several answers in order"
    name = dotted(value.func if isinstance(value, ast.Call) else value)
    if is_error(name):
        return f"it raises {name}"
    if isinstance(value, ast.Constant):
        return ""
    return f"side_effect is {name}" if isinstance(value, ast.Call) else "side_effect is a function"


def is_error(name: str) -> bool:
    """Return whether a name is one of an exception."""
    last = name.rpartition(".")[2]
    return last.endswith(("Error", "Exception", "Timeout", "Interrupt", "Exit", "Warning"))


def stays_because(draft: Draft, notes: Notes, verdict: Verdict, definition: str, *, works_on_sqlite: bool) -> str:
    """Return why a mock is right to stay, "" where it is not.

    Args:
        draft: The mock.
        notes: What its file does with it.
        verdict: What it stands for.
        definition: Where its target leads.
        works_on_sqlite: Whether the code that its file tests uses SQLite by itself.
    """
    if draft.form is Form.SQLITE and works_on_sqlite:
        return "the code under test works on SQLite itself"
    if draft.lone:
        return draft.lone
    if verdict.service in _STAY_BY_SERVICE:
        return _STAY_BY_SERVICE[verdict.service]
    if definition.startswith(_PAID):
        return "a paid API"
    if definition.startswith(_MACHINE) and not definition.startswith("sys.modules"):
        return "a property of the machine or the process"
    if verdict.service is Service.FILES and _fails(draft, notes):
        return "a failure of the operating system, which cannot be caused at will"
    return ""


def _fails(draft: Draft, notes: Notes) -> bool:
    names = [dotted(one.func if isinstance(one, ast.Call) else one) for one in side_effects(draft, notes)]
    return bool(names) and all(name.rpartition(".")[2] in _OS_ERRORS for name in names)
