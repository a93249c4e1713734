"""The build action that makes a ClickHouse template."""
