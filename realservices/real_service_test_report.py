"""The report on a run of real-service tests, as a class: services started, start-up times, ports, health, results.

```python
report = RealServiceTestReport.from_build_events("events.json")
report.generate()["services_started"]
```

`tools/report` is the same as a command; docs/report.md describes both.
"""

from __future__ import annotations

from realservices.report.errors import ReportError
from realservices.report.report_model import Service
from realservices.report.run_report import RealServiceTestReport

__all__ = ["RealServiceTestReport", "ReportError", "Service"]
