"""A report on a `bazel test`, read from Bazel's build event file: what failed and why, what the services took.

It stands alone: nothing of it is loaded while tests run, and it needs nothing but Python. Data flows one way:
build_events (Bazel's file) -> outputs, junit (the files that it names) -> attempts -> targets -> comparison -> report
-> page (HTML) and main (the command line).
"""
