"""The locale of a template: by default that of no country with all letters, else the one that is asked for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.host import places
from tests.services.template_tool import TemplateBuild

_NO_LOCALES = ["--tmpfs", "/usr/lib/locale"]
# Sources of letters: LIKE and upper() ask the database's provider, full-text search the C library until 18.
_LETTERS = """
DO $$ BEGIN
  ASSERT upper('é') = 'É', 'upper';
  ASSERT 'É' ILIKE 'é', 'ilike';
  ASSERT to_tsvector('ÉCOLES') = to_tsvector('écoles'), 'search';
END $$;
"""


def _machines_own() -> list[Path]:
    return sorted(Path("/").glob("usr/lib/postgresql/*"))


@pytest.fixture(params=["pinned", *map(str, _machines_own())])
def distribution(request: pytest.FixtureRequest) -> Path:
    return places.postgres_distribution() if request.param == "pinned" else Path(request.param)


@pytest.fixture
def build(tmp_path: Path, distribution: Path) -> TemplateBuild:
    return _on(tmp_path, distribution)


def _on(
    directory: Path, distribution: Path, enclosure: list[str] | None = None, *, from_nothing: bool = False
) -> TemplateBuild:
    made = TemplateBuild(directory, enclosure=enclosure, from_nothing=from_nothing)
    made.distribution = distribution
    return made


def _major(distribution: Path) -> int:
    told = subprocess.run([distribution / "bin/postgres", "--version"], capture_output=True, text=True, check=True)
    return int(told.stdout.split()[2].partition(".")[0])


def _asserting(*conditions: str) -> str:
    return "DO $$ BEGIN\n" + "".join(f"  ASSERT {each};\n" for each in conditions) + "END $$;\n"


def _succeeds(build: TemplateBuild) -> None:
    done = build.run()
    assert done.returncode == 0, done.stderr


def _refused(build: TemplateBuild) -> str:
    done = build.run()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_the_letters_of_unicode_are_known_and_sorting_is_by_code_point(build: TemplateBuild) -> None:
    order = "(SELECT string_agg(x, '' ORDER BY x) FROM unnest(ARRAY['b', 'a', 'B', 'é']) AS x) = 'Babé'"
    _succeeds(build.migration("001.sql", _LETTERS + _asserting(order)))


def test_search_is_english(build: TemplateBuild) -> None:
    _succeeds(build.migration("001.sql", _asserting("to_tsvector('running') @@ to_tsquery('run')")))


def test_search_may_be_of_another_language(build: TemplateBuild) -> None:
    build.option("setting", "default_text_search_config=pg_catalog.german")
    _succeeds(build.migration("001.sql", _asserting("to_tsvector('Häuser') @@ to_tsquery('Haus')")))


def test_a_machine_without_the_letters_of_the_base_is_told_or_not_asked(tmp_path: Path, distribution: Path) -> None:
    (tmp_path / "base").mkdir()
    base = _on(tmp_path / "base", distribution)
    _succeeds(base)
    build = _on(tmp_path, distribution, _NO_LOCALES).migration("001.sql", _LETTERS)
    build.option("base", str(base.archive)).option("base-info", str(base.info_file))
    if _major(distribution) >= 18:
        _succeeds(build)
        return
    message = _refused(build)
    assert "not recognized by setlocale" in message
    assert "the template that this one begins from was made where the C library has that locale: install it" in message


def test_a_machine_without_letters_is_told_or_not_asked(tmp_path: Path, distribution: Path) -> None:
    build = _on(tmp_path, distribution, _NO_LOCALES, from_nothing=True).migration("001.sql", _LETTERS)
    major = _major(distribution)
    if major >= 18:
        _succeeds(build)
        return
    message = _refused(build)
    assert f"PostgreSQL {major} asks the C library which characters are letters" in message
    assert "this machine has none of C.UTF-8, UTF-8, en_US.UTF-8" in message
    assert 'use PostgreSQL 18, which needs none, or say locale = "C"' in message


def test_ascii_alone_is_a_wish_that_every_machine_grants(tmp_path: Path, distribution: Path) -> None:
    build = _on(tmp_path, distribution, _NO_LOCALES).option("locale", "C")
    _succeeds(build.migration("001.sql", _asserting("upper('é') = 'é'", "to_tsvector('running') @@ to_tsquery('run')")))


def test_a_locale_of_the_c_library(build: TemplateBuild) -> None:
    build.option("locale", "C.UTF-8")
    named = "(SELECT datcollate FROM pg_database WHERE datname = current_database()) = 'C.UTF-8'"
    _succeeds(build.migration("001.sql", _LETTERS + _asserting(named)))


def test_a_locale_that_the_machine_lacks(build: TemplateBuild) -> None:
    message = _refused(build.option("locale", "xx_YY.UTF-8"))
    assert message.startswith("//app:db: initdb failed with code 1:")
    assert 'invalid locale name "xx_YY.UTF-8"' in message
    assert "locale = 'xx_YY.UTF-8': it must be a UTF-8 locale of this machine's C library" in message
    assert "apt-get install locales && localedef -i en_US -f UTF-8 en_US.UTF-8" in message


def test_icu_sorts_as_people_do_or_the_build_is_told_to_lack_it(build: TemplateBuild) -> None:
    order = "(SELECT string_agg(x, '' ORDER BY x) FROM unnest(ARRAY['b', 'a', 'B', 'é']) AS x) = 'abBé'"
    build.option("locale", "en-US").option("locale-provider", "icu")
    done = build.migration("001.sql", _LETTERS + _asserting(order)).run()
    if _major(build.distribution) < 15:
        assert "PostgreSQL 14 has no such provider, 15 is the first that has" in done.stderr
    elif done.returncode:
        assert "ICU is not supported in this build" in done.stderr
        assert "locale = 'en-US' with locale_provider = 'icu' needs a PostgreSQL that is built with ICU" in done.stderr
        assert "REALSERVICES_POSTGRES=/usr/lib/postgresql/17" in done.stderr


def test_a_provider_that_the_version_lacks(build: TemplateBuild) -> None:
    build.option("locale", "C.UTF-8").option("locale-provider", "builtin").migration("001.sql", _LETTERS)
    major = _major(build.distribution)
    if major >= 17:
        _succeeds(build)
        return
    assert f"PostgreSQL {major} has no such provider, 17 is the first that has" in _refused(build)


def test_a_locale_that_the_provider_lacks(build: TemplateBuild) -> None:
    if _major(build.distribution) < 17:
        pytest.skip("has no provider of its own")
    message = _refused(build.option("locale", "en_US").option("locale-provider", "builtin"))
    assert "locale = 'en_US' with locale_provider = 'builtin': the provider knows no such locale" in message
