# shellcheck shell=bash disable=SC2154 # variables of tools/bazelw and of the other parts
# The links bazel-bin, bazel-out and so on that Bazel leaves in a workspace. Sourced by tools/bazelw.

# Usage: drop_links_unless own|rootfs. Bazel passes over links to its own output, but through those of a Bazel with
# another output directory `//...` finds BUILD files that are none of the workspace's, and fails. Every build makes the
# links anew.
drop_links_unless() {
  local directory link maker dropped=""
  directory=$(workspace_directory)
  for link in "$directory"/bazel-*; do
    [ -L "$link" ] || continue
    case $(readlink "$link") in
      "$cache"/*/bazel/*/execroot/*) maker=rootfs ;;
      */execroot/*) maker=own ;;
      *) continue ;;
    esac
    if [ "$maker" != "$1" ] && rm -f "$link"; then dropped="$dropped ${link##*/}"; fi
  done
  [ -z "$dropped" ] || say "removed links to the output of another Bazel:$dropped"
}

# The innermost workspace, or nothing.
workspace_directory() {
  local directory
  directory=$(pwd -P)
  while [ -n "$directory" ] && ! is_workspace "$directory"; do directory=${directory%/*}; done
  printf '%s\n' "$directory"
}

is_workspace() {
  [ -e "$1/MODULE.bazel" ] || [ -e "$1/REPO.bazel" ] || [ -e "$1/WORKSPACE" ] || [ -e "$1/WORKSPACE.bazel" ]
}
