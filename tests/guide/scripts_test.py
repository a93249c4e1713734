"""The migration guide's scripts: the health check and the validation of the infrastructure, as programs of their own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_HEALTH = """
import asyncio
from realservices.real_services import get_real_services

async def check_health():
    services = get_real_services()
    await services.ensure_all_services_available()
    print('All services healthy!')

asyncio.run(check_health())
"""

_VALIDATION = """
import asyncio
from realservices.isolated_environment_manager import get_isolated_environment_manager
from realservices.external_service_integration import get_external_service_manager

async def validate_infrastructure():
    try:
        env_manager = get_isolated_environment_manager()
        await env_manager.initialize()

        test_id = "validation_test"
        async with env_manager.create_test_environment(test_id) as resources:
            print(f"✓ Created test environment with resources: {list(resources.keys())}")

            if 'database' in resources:
                db = resources['database']
                result = await db.fetchval("SELECT 1")
                assert result == 1
                print("✓ Database isolation working")

            if 'redis' in resources:
                redis = resources['redis']
                await redis.set("test_key", "test_value")
                value = await redis.get("test_key")
                assert value == "test_value"
                print("✓ Redis isolation working")

        await env_manager.shutdown()
        print("✓ Infrastructure validation successful")

    except Exception as e:
        print(f"✗ Infrastructure validation failed: {e}")
        raise

if __name__ == '__main__':
    asyncio.run(validate_infrastructure())
"""

_CONFTEST = "from realservices.conftest_comprehensive import *\n"


def _run(directory: Path, program: str) -> str:
    path = directory / "program.py"
    path.write_text(textwrap.dedent(program), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_health_check(tmp_path: Path) -> None:
    assert _run(tmp_path, _HEALTH) == "All services healthy!\n"


def test_validation(tmp_path: Path) -> None:
    assert _run(tmp_path, _VALIDATION) == (
        "✓ Created test environment with resources: ['database', 'redis', 'redis_bytes', 'filesystem']\n"
        "✓ Database isolation working\n"
        "✓ Redis isolation working\n"
        "✓ Infrastructure validation successful\n"
    )


def test_the_line_for_conftest_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(_CONFTEST, encoding="utf-8")
    (tmp_path / "test_it.py").write_text(
        "async def test_it(isolated_database): assert await isolated_database.fetchval('SELECT 1') == 1\n",
        encoding="utf-8",
    )
    plugin = ["-p", "realservices.fixtures.plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", *plugin, f"--rootdir={tmp_path}", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
