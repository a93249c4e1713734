#!/bin/sh
# Starts a program of the package, from the launcher's archive and without a process of its own before the interpreter's.
# A tool of Bazel's inherits the variable of the test that it works for.
runfiles="$0.runfiles"
[ -d "$runfiles" ] || runfiles="$RUNFILES_DIR"
case "$runfiles" in
  //*) runfiles="${runfiles#/}" ;;
  /*) ;;
  *) runfiles="${PWD%/}/$runfiles" ;;
esac
exec "%interpreter%" %flags% "$runfiles/%archive%" program %module% "%paths%" %options% "$@"
