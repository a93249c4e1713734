"""By what `init` finds out that a project uses Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.cli.proposal.kind_hints import KindHints

if TYPE_CHECKING:
    from realservices.cli.proposal.project_evidence import Evidence
    from realservices.cli.proposal.proposed_toml import Proposal


class _Redis(KindHints):
    images = ("redis", "valkey", "redis-stack", "redis-stack-server", "keydb")
    packages = (
        "redis", "arq", "rq", "aioredis", "celery", "django-redis", "fakeredis",
        "npm:redis", "npm:ioredis", "npm:bullmq", "npm:bull", "go:github.com/redis/go-redis",
        "go:github.com/go-redis/redis", "go:github.com/gomodule/redigo", "cargo:redis", "cargo:fred",
        "gem:redis", "gem:sidekiq", "gem:resque", "maven:redis.clients:jedis", "maven:io.lettuce:lettuce-core",
        "maven:org.springframework.boot:spring-boot-starter-data-redis", "hex:redix", "composer:predis/predis",
        "composer:ext-redis",
    )  # fmt: skip
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


HINTS = _Redis()
