# shellcheck shell=bash disable=SC2154 # variables of tools/bazelw and of the other parts
# The machine's own Bazel: finding one that is new enough, and running it. Sourced by tools/bazelw.

own_bazel=""
own_major=0
own_rejected=() # one line for each Bazel that was found and refused, for the errors that follow

# Set `own_bazel` and `own_major` to the first `bazel` or `bazelisk` on PATH that is 7 or newer and not this script.
find_own_bazel() {
  local candidate
  while IFS= read -r candidate; do
    [ "$(readlink -f "$candidate")" != "$self" ] || continue
    if is_new_enough "$candidate"; then
      own_bazel=$candidate
      return
    fi
  done < <(own_candidates)
}

# bazelisk runs a workspace's tools/bazel with BAZEL_REAL set; should that be a link to this script, asking bazelisk
# again would never end.
own_candidates() {
  if [ -n "${BAZEL_REAL:-}" ]; then printf '%s\n' "$BAZEL_REAL"; fi
  type -aP bazel bazelisk || true
}

# An own build of Bazel may have no version ("bazel no_version"), a bazelisk without network no answer. Neither is fit
# to run.
is_new_enough() {
  local answer status=0
  answer=$(REALSERVICES_BAZELW_ASKS_VERSION=1 "$1" --version </dev/null) || status=$?
  if [ "$status" -ne 0 ]; then
    reject "$1 --version ended with exit code $status"
  elif [[ $answer =~ ^bazel\ ([0-9]+)\. ]]; then
    own_major=${BASH_REMATCH[1]}
    [ "$own_major" -lt 7 ] || return 0
    reject "$1 is $answer; 7 is the oldest that works"
  else
    reject "$1 --version says '$answer', which names no version"
  fi
  return 1
}

reject() {
  own_rejected+=("$1")
  say "not used: $1"
}

# Debian's modules are for Bazel 7. A newer Bazel is left to its own registry, caches and lock file.
run_own() {
  local rc=""
  if [ "$own_major" -eq 7 ] && [ "$(uname -s)" = Linux ] && [ "${1:---version}" != --version ]; then
    make_cache
    if ! registry_in_reach "$own_bazel" "$@"; then
      if (ensure_rootfs); then
        write_modules
        rc=$modules/own.bazelrc
      else
        say "going on with $own_bazel and without modules from Debian"
      fi
    fi
  fi
  drop_links_unless own
  exec "$own_bazel" ${rc:+"--bazelrc=$rc"} "$@"
}
