"""What the launcher's side and the test's side agree on: manifest, runtime description, environment, errors."""
