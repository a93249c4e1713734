"""By what `init` finds out that a project uses Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.cli.proposal.kind_hints import KindHints

if TYPE_CHECKING:
    from realservices.cli.proposal.project_evidence import Evidence
    from realservices.cli.proposal.proposed_toml import Proposal


class _Redis(KindHints):
    images = ("redis", "valkey", "redis-stack", "redis-stack-server", "keydb")
    packages = ("redis", "arq", "rq", "aioredis", "celery", "django-redis", "fakeredis")
    service = "cache"
    words = r"REDIS|CACHE|BROKER|CELERY"
    schemes = ("redis",)
    lacks = ("user", "database")
    given = ("REDIS_URL",)

    def ask(self, proposal: Proposal, found: Evidence) -> None:
        values = set(proposal.env.values())
        if "$(host cache)" in values and "$(password cache)" not in values:
            proposal.questions.append(
                "settings have a host for Redis and no password, and Redis asks for one: with `password = false` in "
                "its table it asks for none (docs/command_line.md)"
            )

    def target(self, proposal: Proposal, found: Evidence) -> str:
        return f'redis_service(name = "{self.service}")'


HINTS = _Redis()
