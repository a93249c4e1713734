"""The checklists of a migration, computed: for each file, for each service's directory, for the suite."""

from realservices.mocks.checklist.item import Item, State
from realservices.mocks.checklist.per_file import file_items
from realservices.mocks.checklist.per_service import Service, services
from realservices.mocks.checklist.per_suite import suite_items

__all__ = ["Item", "Service", "State", "file_items", "services", "suite_items"]
