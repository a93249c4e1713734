"""The kinds of services: one folder for each, with all that is particular to it. Nothing else knows their names."""
