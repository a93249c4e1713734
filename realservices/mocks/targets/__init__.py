"""BUILD targets and declarations for tests that are on real services: which services each needs, and where it says so."""
