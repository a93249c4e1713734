"""ClickHouse: databases made ahead of the tests and used again, and the way back to what one held."""
