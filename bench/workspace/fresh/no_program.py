"""The test program of targets of which only the services matter: it ends at once."""
