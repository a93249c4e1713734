# shellcheck shell=bash disable=SC2034 # variables for the other parts
# Messages, and the cache directory. Sourced by tools/bazelw and tools/farm, each of which sets `me` to its name.

say() { printf '%s: %s\n' "$me" "$*" >&2; }

# Print every argument as a line and end; the first one is the error, the others say how to mend it.
die() {
  local line
  say "error: $1"
  shift
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}

# Set `cache` to the cache directory, or to nothing where it cannot be told.
name_cache() {
  cache=${REALSERVICES_CACHE_DIR:-}
  if [ -z "$cache" ] && [ -n "${XDG_CACHE_HOME:-}${HOME:-}" ]; then
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/rules_realservices
  fi
  if [ -d "$cache" ]; then cache=$(cd "$cache" && pwd -P); fi
}

# Make the cache directory, and `state` below it: root and a user with one HOME must not write the same files.
make_cache() {
  local user
  [ -n "$cache" ] ||
    die "no cache directory: none of REALSERVICES_CACHE_DIR, XDG_CACHE_HOME and HOME is set" \
      "Set REALSERVICES_CACHE_DIR to a directory with 2 GB free."
  user=$(id -un 2>/dev/null || id -u)
  if ! { mkdir -p "$cache/$user/home" && [ -w "$cache" ]; } 2>/dev/null; then
    die "cannot write to the cache directory $cache (as user $user)" \
      "Set REALSERVICES_CACHE_DIR to a directory that this user may write, with 2 GB free."
  fi
  name_cache # now that it exists, by its real path
  state=$cache/$user
  name_rootfs
}
