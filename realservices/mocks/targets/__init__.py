"""BUILD targets and declarations for tests that are on real services: what each needs, and where that stands."""
