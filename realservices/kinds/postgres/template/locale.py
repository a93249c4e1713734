"""The locale of a template's databases: what initdb is told, and what to say where the machine or the build lacks it.

By default it sorts by code point and knows the letters of Unicode, on every major version. PostgreSQL's own
provider does both from 17 on, but full-text search asks the C library for letters until 18.

Sources: initdb's and CREATE DATABASE's reference pages; the chapter "Locale Support" of PostgreSQL's manual.
"""

from __future__ import annotations

from realservices.contract.errors import TemplateError

PROVIDERS = ("libc", "icu", "builtin")
_FIRST_WITH_PROVIDER = {"libc": 150000, "icu": 150000, "builtin": 170000}
_FIRST_WITHOUT_LIBC = 180000
# Locales of the C library that know Unicode's letters: glibc's and musl's, macOS's, and one that many machines have.
UTF8_CTYPES = ("C.UTF-8", "UTF-8", "en_US.UTF-8")
_NO_LANGUAGE = ("C", "POSIX")
# initdb takes the language of full-text search from the locale. That of C is none, and no stem is ever found.
_ENGLISH = "--text-search-config=english"


class Locale:
    """What a service says about its locale.

    Args:
        name: As initdb's ``--locale``; empty for the default.
        provider: As initdb's ``--locale-provider``; empty for the default.
    """

    def __init__(self, name: str = "", provider: str = "") -> None:
        self._name = name
        self._provider = provider or ("libc" if name else "")
        self._shown = f"locale = {name!r}" + (f" with locale_provider = {provider!r}" if provider else "")

    def candidates(self, version_num: int) -> list[list[str]]:
        """Return the options for initdb, in the order in which they are to be tried.

        Raises:
            TemplateError: This major version has no such provider.
        """
        if self._provider == "libc":
            named = ["--locale-provider=libc"] if version_num >= _FIRST_WITH_PROVIDER["libc"] else []
            language = [_ENGLISH] if self._name.partition(".")[0] in _NO_LANGUAGE else []
            return [[*named, f"--locale={self._name}", *language]]
        options = [*self._provided(version_num), "--locale=C", _ENGLISH]
        if self._provider != "icu" and version_num >= _FIRST_WITHOUT_LIBC:
            return [options]
        return [[*options, f"--lc-ctype={ctype}"] for ctype in UTF8_CTYPES]

    def _provided(self, version_num: int) -> list[str]:
        if not self._provider and version_num < _FIRST_WITH_PROVIDER["builtin"]:
            return []
        provider = self._provider or "builtin"
        first = _FIRST_WITH_PROVIDER[provider]
        if version_num < first:
            raise TemplateError(
                f"{self._shown}: PostgreSQL {version_num // 10000} has no such provider, {first // 10000} is the first "
                'that has; use a later PostgreSQL, or locale_provider = "libc"'
            )
        return [f"--locale-provider={provider}", f"--{provider}-locale={self._name or 'C.UTF-8'}"]

    def is_without_letters(self, errors: str) -> bool:
        """Return whether initdb's words are about the C library's letters of the candidate, so that there is a next."""
        missing = (f'invalid locale name "{ctype}"\n' in errors for ctype in UTF8_CTYPES)
        return self._provider != "libc" and any(missing)

    def remedy(self, version_num: int, errors: str) -> str:
        """Return what to do about initdb's words, or nothing if they are not about the locale.

        Args:
            version_num: The server's.
            errors: initdb's standard error.
        """
        if "ICU is not supported in this build" in errors:
            return (
                f"  {self._shown} needs a PostgreSQL that is built with ICU. Under Bazel: distribution = "
                '"@rules_realservices//third_party/postgres:18" (or :15, :16, :17), or an installed one by '
                'realservices.postgres(path = "/usr/lib/postgresql/17"). In plain pytest: '
                "`python -m realservices fetch --icu`, or REALSERVICES_POSTGRES=/usr/lib/postgresql/17. Without ICU "
                'there is locale_provider = "libc" with one of `locale -a`'
            )
        if "locale" not in errors and "encoding mismatch" not in errors:
            return ""
        if self.is_without_letters(errors):
            return (
                f"  PostgreSQL {version_num // 10000} asks the C library which characters are letters, and this "
                f"machine has none of {', '.join(UTF8_CTYPES)} (`locale -a` lists what it has). Install one "
                "(Debian: apt-get install libc-bin; elsewhere: localedef -i C -f UTF-8 C.UTF-8), use PostgreSQL 18, "
                'which needs none, or say locale = "C" on the service if only ASCII letters matter'
            )
        if self._provider == "libc":
            return (
                f"  {self._shown}: it must be a UTF-8 locale of this machine's C library, as `locale -a` lists them. "
                "Install it (Debian: apt-get install locales && localedef -i en_US -f UTF-8 en_US.UTF-8), or use "
                'locale_provider = "icu", which brings its own'
            )
        return f"  {self._shown}: the provider knows no such locale; see initdb's --{self._provider}-locale"
