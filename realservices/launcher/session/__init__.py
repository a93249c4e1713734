"""Services of a session without Bazel, or of one that may come: the launcher as a daemon."""
