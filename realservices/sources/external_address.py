"""Parts of the addresses of external servers, from the environment."""

from __future__ import annotations

from urllib.parse import quote

from realservices.contract.environment_numbers import number_from
from realservices.contract.errors import ManifestError
from realservices.sources.errors import SettingError
from realservices.sources.variables import variable_of


def port_from(variable: str, default: int) -> int:
    """Return the port that a variable names.

    Raises:
        SettingError: It is none.
    """
    try:
        return number_from(variable, default, 1, 65535)
    except ManifestError as error:
        raise SettingError(f"{error}; it is a port") from None


def label_of(kind: str) -> str:
    """Return what stands for the label of such a service."""
    return f"${variable_of(kind)}"


def account_in_url(user: str, password: str) -> str:
    """Return what stands in a URL before the host."""
    if not (user or password):
        return ""
    secret = f":{quote(password, safe='')}" if password else ""
    return f"{quote(user, safe='')}{secret}@"


def host_in_url(host: str) -> str:
    """Return a host as a URL has it."""
    return f"[{host}]" if ":" in host else host
