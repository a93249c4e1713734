"""For the line ``from realservices.conftest_comprehensive import *`` in a conftest.py, which brings in nothing.

The plugin registers all fixtures by itself. The line is in many suites that follow a migration guide, where it must
neither fail nor register a fixture a second time.
"""

from __future__ import annotations

__all__: list[str] = []
