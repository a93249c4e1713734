"""Where a test process's services come from: a launcher, external ones, or this session itself."""
