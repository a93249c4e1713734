"""`ServiceCache`: a project's services, kept from one session to the next.

```python
launcher = await ServiceCache.get_or_create(LauncherConfig(startup_timeout=30))
```

docs/development.md describes it.
"""

from __future__ import annotations

from realservices.dev.cache import ServiceCache

__all__ = ["ServiceCache"]
