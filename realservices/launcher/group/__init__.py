"""A group of services for development: the launcher without a test, for as long as the developer likes."""
