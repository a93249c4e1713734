"""The command line: `python -m realservices`, tools/doctor and `bazel run @rules_realservices//tools:…`."""
