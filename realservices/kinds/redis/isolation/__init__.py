"""Redis: databases, leased to one test at a time, with accounts and clients that reach no other."""
