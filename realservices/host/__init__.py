"""What the machine gives a test action: ports, locks, directories, processes, namespaces, cached templates."""
