"""A server of the user's own: its start, when it is ready, and its end."""
