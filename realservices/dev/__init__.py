"""A project's own services started together, found by name, and spoken with by typed clients."""
