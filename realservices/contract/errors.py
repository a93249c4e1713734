"""Every error that the package raises on purpose.

A message names the target or service, what happened with the actual values, what was expected, and the remedy.
The classes say whose fault it is, because Bazel reports faults of the machine apart from faults of the test.
"""

from __future__ import annotations


class RealServicesError(Exception):
    """Base of all errors of this package."""


class ManifestError(RealServicesError):
    """A manifest, runtime description or setting that the launcher cannot read or that names something unknown."""


class InfrastructureError(RealServicesError):
    """The machine could not give what a test needs: ports, space, permissions.

    Args:
        component: What failed, in a word or two: the first line of Bazel's infrastructure failure file.
        reason: The whole explanation with values and remedy.
    """

    def __init__(self, component: str, reason: str) -> None:
        super().__init__(reason)
        self.component = component
        self.reason = reason


class ArchiveError(InfrastructureError):
    """The archive of a template that is damaged, or holds what is never unpacked.

    Args:
        archive: Its path.
        member: The member's name; empty: it is the archive as a whole.
        cause: What is wrong.
    """

    def __init__(self, archive: str, member: str, cause: str) -> None:
        what = f"{archive}, member {member!r}" if member else archive
        super().__init__(
            "templates",
            f"the archive of a template is not unpacked: {what}: {cause}; remove this file: the next build (under "
            "Bazel) or session makes it again",
        )
        self.archive = archive
        self.member = member
        self.cause = cause


class ServiceError(RealServicesError):
    """A service that did not start, did not become ready, or died.

    Args:
        service: The service's name within its test.
        label: The Bazel label that declares it.
        cause: What happened, with exit code or signal and times.
        log_tail: The last lines that the service wrote, oldest first.
    """

    def __init__(self, service: str, label: str, cause: str, log_tail: list[str]) -> None:
        shown = "".join(f"\n    {line}" for line in log_tail) or "\n    (it wrote nothing)"
        super().__init__(f"service {service!r} ({label}) {cause}\n  its last log lines:{shown}")
        self.service = service
        self.label = label
        self.cause = cause
        self.log_tail = log_tail


class TemplateError(RealServicesError):
    """A file or an extension that a database server refused while its template was built."""
