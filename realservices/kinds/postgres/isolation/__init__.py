"""PostgreSQL: transactions that are rolled back, databases cloned from a template, the way back to what one held."""
