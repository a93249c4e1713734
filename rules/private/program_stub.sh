#!/bin/sh
# Starts a program of the package, from the launcher's archive and without a process of its own before the interpreter's.
runfiles="${RUNFILES_DIR:-$0.runfiles}"
case "$runfiles" in
  /*) ;;
  *) runfiles="$PWD/$runfiles" ;;
esac
exec "%interpreter%" %flags% "$runfiles/%archive%" program %module% "%paths%" %options% "$@"
