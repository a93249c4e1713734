#!/bin/sh
# Starts the launcher for one real_service_test or service_group. Kept to what every /bin/sh has, and without a process
# of its own before the interpreter's, because each test and each shard waits for it.
runfiles="${RUNFILES_DIR:-${TEST_SRCDIR:-$0.runfiles}}"
# On a remote worker the directory of an action may be /, and Bazel's own script makes //bazel-out of it.
case "$runfiles" in
  //*) runfiles="${runfiles#/}" ;;
  /*) ;;
  *) runfiles="${PWD%/}/$runfiles" ;;
esac
export RUNFILES_DIR="$runfiles"
exec "%interpreter%" %flags% "$runfiles/%archive%" "$runfiles/%manifest%" "$@"
