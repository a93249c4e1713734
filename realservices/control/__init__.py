"""How others find, ask and watch the services of a session: its record, the control protocol, a client, a screen."""
