"""One module per kind of service: how it is prepared, started, found ready, reached and stopped."""
