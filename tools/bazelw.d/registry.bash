# shellcheck shell=bash disable=SC2154 # variables of tools/bazelw and of the other parts
# Whether the Bazel Central Registry is in reach, asked through Bazel itself: so the user's proxies and certificates
# count, and its address is written down nowhere. Sourced by tools/bazelw.

registry_timeout_s=20 # a server that starts on a slow machine, and one answer
registry_fresh_minutes=1440

# Usage: registry_in_reach BAZEL ARGS…, where BAZEL is the own one's path, or "" for the one in the root filesystem.
registry_in_reach() {
  local bazel=$1
  shift
  case ${REALSERVICES_BCR:-} in
    yes) return 0 ;;
    no) return 1 ;;
    '') ;;
    *) die "REALSERVICES_BCR is '$REALSERVICES_BCR'; allowed are yes and no" ;;
  esac
  ! names_a_registry "$@" || return 0

  # The answer holds for one way out of the machine: another proxy, another answer.
  local key answer
  key=$(printf '%s\n' "$bazel" "${https_proxy:-}" "${HTTPS_PROXY:-}" "${no_proxy:-}" | sha256sum | cut -c1-12)
  answer=$state/registry-$key
  if [ -z "$(find "$answer" -mmin "-$registry_fresh_minutes" 2>/dev/null)" ]; then
    (ask_registry "$bazel" "$answer") 9>"$state/registry.lock"
  fi
  [ "$(cat "$answer")" = yes ]
}

# Users with a registry of their own want its modules, not Debian's.
names_a_registry() {
  local argument
  for argument in "$@"; do
    case $argument in --registry | --registry=*) return 0 ;; esac
  done
  grep -qsE '^[^#]*--registry\b' "$(workspace_directory)/.bazelrc" "${HOME:-}/.bazelrc"
}

# Resolve a module that only the registry has; runs in a subshell, whose environment it restricts. The lock keeps two
# first calls from waiting for one another's Bazel beyond the time limit; the second one finds the answer of the first.
ask_registry() {
  local bazel=$1 answer=$2 log=$state/registry.log command verdict=no
  flock 9
  [ -z "$(find "$answer" -mmin "-$registry_fresh_minutes" 2>/dev/null)" ] || return 0
  write_modules
  mkdir -p "$state/registry"
  cd "$state/registry" || die "cannot enter $state/registry"
  printf 'bazel_dep(name = "platforms", version = "0.0.11")\n' >MODULE.bazel

  command=(timeout --foreground --kill-after=2 "$registry_timeout_s")
  if [ -n "$bazel" ]; then
    command+=("$bazel")
  else
    prepare_entry "$rootfs"
    restrict_environment ""
    command+=("${entry[@]}" --die-with-parent --chdir "$PWD" -- bazel)
  fi
  command+=(--batch "--output_user_root=$state/bazel" "--bazelrc=$modules/probe.bazelrc" mod graph)
  if "${command[@]}" >"$log" 2>&1 9>&-; then
    verdict=yes
  else
    say "the Bazel Central Registry is out of reach (see $log): modules come from Debian's packages"
    say "it is asked again in a day; REALSERVICES_BCR=yes says that it is in reach"
  fi
  printf '%s\n' "$verdict" >"$answer.$$"
  mv "$answer.$$" "$answer"
}
