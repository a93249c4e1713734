"""Prove a conversion: what the old test notices of broken code, and what the new one does.

`verify_session.py` leads through it: find the old version (old_version.py, snapshot.py), run both under coverage
(runs.py), break the covered code in small ways (mutants/), run the tests that cover each place (trial.py, forks.py) and
compare (mutant_comparison.py). What runs in a process of the tests is in worker/.
"""
