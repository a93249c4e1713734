"""What keeps one test from seeing another: a file per kind of service, and the manager that holds them together."""
