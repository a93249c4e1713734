"""Real services for tests: hermetic, fresh, isolated, ready in milliseconds.

The data flows one way: BUILD declaration, manifest, launcher, environment, pytest plugin, fixture, isolated client.
Each folder stands for one step and imports only what lies before it:
``contract``, ``host``, ``services``, ``launcher`` on the launcher's side; ``contract``, ``clients``, ``sources``,
``isolation``, ``fixtures`` on the test's side.
"""

__version__ = "0.1.0"
