"""From mocks to real services: find the mocks of a test suite, grade them, convert them, and prove the result.

A tool for people, not for test actions: `python -m realservices migrate` (cli/mocks/). `scan_model.py` is what its
parts share; `scan/` finds and grades, `convert/` rewrites test files, `verify/` compares what the old and the new tests
see.
"""
