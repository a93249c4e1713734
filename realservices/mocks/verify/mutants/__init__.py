"""Small ways to break code: one module for each sort of change. `mutant_finder.py` has all, ordered as in the text."""
