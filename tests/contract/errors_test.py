"""Errors: each says whose fault it is, and carries what a report needs."""

from __future__ import annotations

from realservices.contract import errors


def test_every_error_is_of_this_package() -> None:
    raised = [value for name, value in vars(errors).items() if name.endswith("Error")]
    assert len(raised) >= 5
    assert all(issubclass(error, errors.RealServicesError) for error in raised)


def test_a_service_error_shows_the_last_log_lines() -> None:
    error = errors.ServiceError("db", "//a:db", "exited with code 1", ["first", "second"])
    assert str(error) == ("service 'db' (//a:db) exited with code 1\n  its last log lines:\n    first\n    second")
    assert (error.service, error.label, error.cause, error.log_tail) == (
        "db",
        "//a:db",
        "exited with code 1",
        ["first", "second"],
    )


def test_a_service_that_wrote_nothing() -> None:
    error = errors.ServiceError("db", "//a:db", "was stopped", [])
    assert str(error).endswith("its last log lines:\n    (it wrote nothing)")


def test_an_infrastructure_error_names_its_component() -> None:
    error = errors.InfrastructureError("ports", "none are free")
    assert (str(error), error.component, error.reason) == ("none are free", "ports", "none are free")
