"""What runs in the interpreter of the tests: one run under coverage, and a server that forks for each mutant.

It is started by module name (`covered_run.py`, `fork_server.py`) and speaks JSON with runs.py and forks.py.
"""
