"""Where a test process's services come from: a launcher, somebody else, or this session itself."""
