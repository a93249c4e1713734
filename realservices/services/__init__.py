"""What servers of all kinds, and the tools that build templates, have in common."""
