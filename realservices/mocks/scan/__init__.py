"""Find the mocks of a suite by syntax tree and by what names resolve to, and say what each stands for."""

from realservices.mocks.scan.project_names import Project
from realservices.mocks.scan.scanner import scan_source
from realservices.mocks.scan.tree import scan_tree

__all__ = ["Project", "scan_source", "scan_tree"]
