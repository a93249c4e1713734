"""`tools/report` under its other names.

They are `python -m realservices.report` and `bazel run @rules_realservices//realservices/report`.
"""

from __future__ import annotations

import os
import sys

from realservices.report.main import main

# `bazel run` starts programs in their runfiles, and says where it was started itself.
os.chdir(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
sys.exit(main(sys.argv[1:]))
