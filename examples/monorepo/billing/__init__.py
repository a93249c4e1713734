"""Billing: invoices in PostgreSQL, and what customers owe in Redis."""
