"""What the machine gives a launcher: ports, directories, processes, namespaces, templates; the clean-up behind it."""
