"""Clients that a test is handed: its files, and the launcher's control socket."""
