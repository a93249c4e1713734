"""What makes the generated pages of docs/reference, and the site: tools/docs runs it."""
