"""One test action: services and program, from the manifest to the exit code."""
