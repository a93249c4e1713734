"""Plan one test: each of its mocks and fakes by the planner of its service, or the test is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realservices.mocks.convert.asserts_left import check_asserts
from realservices.mocks.convert.conversion_results import Unconvertible
from realservices.mocks.convert.failing_clients import connecting_client
from realservices.mocks.convert.fake_plan import plan_fake
from realservices.mocks.convert.file_plan import plan_files
from realservices.mocks.convert.http_fakes import plan_http_fakes
from realservices.mocks.convert.http_plan import plan_http
from realservices.mocks.convert.mock_paths import Kind
from realservices.mocks.convert.module_fakes import (
    ModuleFakes,
    edit_takers,
    plan_module_fakes,
)
from realservices.mocks.convert.plan_edits import finish
from realservices.mocks.convert.postgres_plan import plan_postgres
from realservices.mocks.convert.redis_commands import COMMANDS
from realservices.mocks.convert.redis_plan import plan_redis
from realservices.mocks.convert.session_plan import is_session, plan_session
from realservices.mocks.convert.set_up_attributes import is_read
from realservices.mocks.convert.test_facts import Fake
from realservices.mocks.convert.test_plan import TestPlan
from realservices.mocks.scan_model import Service

if TYPE_CHECKING:
    from realservices.mocks.convert.test_facts import Mock


def fill_plan(plan: TestPlan, fakes: ModuleFakes) -> None:
    """Fill the plan of a test.

    Args:
        plan: With what was read in it.
        fakes: Those at the top of its file.

    Raises:
        Unconvertible: Something in it has no counterpart.
    """
    reading = plan.reading
    http = [fake for fake in reading.fakes if fake.use.service is Service.HTTP]
    for fake in reading.fakes:
        if fake not in http:
            _plan_fake(fake, plan)
    files = [mock for mock in reading.mocks if mock.use.service is Service.FILES]
    for mock in reading.mocks:
        if mock not in files and is_read(mock, reading):
            _plan_mock(mock, plan)
    if files:
        plan_files(files, plan)
    if http:
        plan_http_fakes(http, plan)
    taken = plan_module_fakes(fakes, reading, plan)
    _check_new(plan)
    check_asserts(plan)
    finish(plan)
    edit_takers(taken, fakes, plan)


def _plan_mock(mock: Mock, plan: TestPlan) -> None:
    service = mock.use.service
    if service is Service.REDIS and mock.linked_service() is Service.POSTGRES and not mock.has_any_of(COMMANDS):
        service = Service.POSTGRES  # What it is asked for is more certain than a name.
    if service is Service.HTTP:
        plan_http(mock, plan)
        return
    answer = next((fact for fact in mock.facts if fact.path == () and fact.kind is not Kind.IS), None)
    if answer is not None and not (answer.kind is Kind.EFFECT and connecting_client(mock.target)):
        why = "it is a function that gives data, or fails, and no client of a service"
        raise Unconvertible(answer.line, mock.target or mock.name, why, "replace what the function uses instead")
    if service is Service.POSTGRES:
        (plan_session if is_session(mock, plan) else plan_postgres)(mock, plan)
    elif service is Service.REDIS:
        plan_redis(mock, plan)
    else:
        raise Unconvertible(
            mock.line, mock.target or mock.name, f"a mock of {service.value}, for which there is no conversion",
            "see the template for this file: `migrate convert --templates DIR`",
        )  # fmt: skip


def _plan_fake(fake: Fake, plan: TestPlan) -> None:
    if fake.is_foreign:
        return
    edits = plan.reading.edit(fake.function)
    name = plan_fake(fake, edits)
    plan.services.add("redis" if "redis" in name else "postgres")
    if fake.function is plan.reading.test:
        plan.take(name)


def _check_new(plan: TestPlan) -> None:
    """Raise for a test that takes already what the conversion would have it take: rows would be inserted twice."""
    taken = {each.arg for each in plan.reading.test.args.args} & set(plan.fixtures) - {"monkeypatch"}
    for name in sorted(taken):
        why = "the test has the real service already, and a mock beside it"
        raise Unconvertible(plan.reading.test.lineno, name, why, "finish the conversion by hand")
