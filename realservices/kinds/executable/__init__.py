"""Any program that is a server: those of the user, and the package's own."""
