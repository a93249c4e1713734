"""The way back to what a database held before a test.

The write-ahead log says what was written, and only that is restored, from a pristine copy in the same server.
"""
