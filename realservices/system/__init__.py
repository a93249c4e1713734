"""What both sides use of the operating system: locks, directories, caches, removal, and errors in words."""
