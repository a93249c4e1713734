"""Redis for many tests at once in one process."""
