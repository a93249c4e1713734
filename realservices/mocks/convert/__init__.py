"""Rewrite tests that stand on mocks as tests of real services: one test function at a time, all of it or nothing.

In the order of the flow: `project_modules.py` and `code_under_test.py` read what the tests call, `test_reading.py` what
a test tells its mocks and asks of them, `database_schema.py` what the real tables want; the `*_plan.py` modules turn
that into statements; `rewrite.py` puts these into the file with LibCST, and `twins.py` keeps the original beside it.
"""
