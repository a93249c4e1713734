"""The benchmark behind tools/bench: one run, and every claim about speed and size is a ratio or a number with a bar.

The way: `main` writes a workspace as a user would have one (`workspace`), each of `measurements` builds and tests in
it with Bazel (`bazel`, `build_events`, `action_inputs`) and turns samples into rows (`samples`, `rows`).
"""
