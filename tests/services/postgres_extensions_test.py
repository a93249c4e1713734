"""Extensions: those that most schemas begin with, and those of the machine's own PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.template_tool import TemplateBuild

_FIRST_LINES = """
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";
CREATE EXTENSION IF NOT EXISTS pgcrypto;
DO $$ BEGIN
  ASSERT uuid_generate_v4() <> uuid_generate_v1();
  ASSERT uuid_generate_v5(uuid_ns_dns(), 'example.org') = 'aad03681-8b63-5304-89e0-8ca8f49461b5';
  ASSERT crypt('secret', '$2a$06$RbN6mQpBNXQ0gcEFXjVz8.') LIKE '$2a$06$RbN6mQpBNXQ0gcEFXjVz8.%';
  ASSERT encode(digest('abc', 'sha1'), 'hex') = 'a9993e364706816aba3e25717850c26c9cd0d89d';
  ASSERT pgp_sym_decrypt(pgp_sym_encrypt('text', 'key'), 'key') = 'text';
END $$;
"""


def _succeeds(build: TemplateBuild) -> None:
    done = build.run()
    assert done.returncode == 0, done.stderr


def test_pgcrypto_and_uuid_ossp_are_there(tmp_path: Path) -> None:
    _succeeds(TemplateBuild(tmp_path).migration("001.sql", _FIRST_LINES))


def test_pgvector_and_trigrams_are_there(tmp_path: Path) -> None:
    _succeeds(TemplateBuild(tmp_path).option("extension", "vector").option("extension", "pg_trgm"))


def test_a_worker_in_the_database_is_no_obstacle_to_its_copies(tmp_path: Path) -> None:
    control = next(Path("/").glob("usr/share/postgresql/*/extension/pg_cron.control"), None)
    if not control:
        pytest.skip("needs a PostgreSQL with pg_cron in /usr/lib/postgresql")
    build = TemplateBuild(tmp_path).option("extension", "pg_cron")
    build.distribution = Path("/usr/lib/postgresql", control.parts[4])
    build.option("setting", "shared_preload_libraries=pg_cron").option("setting", "cron.database_name=test")
    # Its worker tries to connect once a second.
    _succeeds(build.migration("001.sql", "SELECT cron.schedule('nightly', '0 3 * * *', 'SELECT 1'), pg_sleep(2);"))
