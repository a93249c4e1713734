"""Why one checkout does not find what another one has put into the remote cache: Bazel's execution logs, compared."""
