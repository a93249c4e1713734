"""`python -m realservices.report`: the same as tools/report, where the package is installed."""

from __future__ import annotations

import sys

from realservices.report.main import main

sys.exit(main(sys.argv[1:]))
