"""Small ways to break code: one module for each sort of change. `finder.py` has them all, in the order of the text."""
