"""What a project says of its PostgreSQL in plain pytest: the documented example, and words about what it lacks."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

_PAGE = Path(__file__).parents[2] / "docs" / "postgres.md"
_TEST = (
    "async def test_it(isolated_database):\n    assert await isolated_database.fetchval(\"SELECT upper('é')\") == 'É'\n"
)


@pytest.fixture(autouse=True)
def _own_programs(alone: pytest.MonkeyPatch, tmp_path: Path) -> None:
    distribution = os.environ["POSTGRES_DISTRIBUTION"]
    alone.setenv("REALSERVICES_POSTGRES", str(Path(os.environ.get("RUNFILES_DIR", "/")) / distribution))
    alone.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_documented_example(pytester: pytest.Pytester, run: Run) -> None:
    sql, toml, python = re.findall(
        r"^```(?:sql|toml|python)\n(.*?)^```", _PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )[:3]
    (pytester.path / "db").mkdir()
    (pytester.path / "db" / "schema.sql").write_text(sql, "utf-8")
    pytester.makepyprojecttoml(toml)
    pytester.makepyfile(python)
    run().assert_outcomes(passed=1)


def _output(pytester: pytest.Pytester, run: Run, declared: str) -> str:
    pytester.makepyprojecttoml(f'[tool.realservices.services.db]\nkind = "postgres"\n{declared}\n')
    pytester.makepyfile(_TEST)
    result = run()
    result.assert_outcomes(errors=1)
    return str(result.stdout)


def test_a_locale_of_the_declaration_is_the_databases(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyprojecttoml('[tool.realservices.services.db]\nkind = "postgres"\nlocale = "C"\n')
    pytester.makepyfile(_TEST.replace("'É'", "'é'"))
    run().assert_outcomes(passed=1)


def test_a_locale_that_the_machine_lacks(pytester: pytest.Pytester, run: Run) -> None:
    said = _output(pytester, run, 'locale = "xx_YY.UTF-8"')
    assert "pyproject.toml: service 'db': initdb failed with code 1" in said
    assert "locale = 'xx_YY.UTF-8': it must be a UTF-8 locale of this machine's C library" in said


def test_an_extension_that_the_server_lacks(pytester: pytest.Pytester, run: Run) -> None:
    said = _output(pytester, run, 'extensions = ["no_such_thing"]')
    assert "pyproject.toml: service 'db': extension 'no_such_thing'" in said
    assert "in plain pytest: REALSERVICES_POSTGRES=" in said
