# shellcheck shell=bash disable=SC2154 # variables of tools/bazelw and of the other parts
# The root filesystem with Debian's Bazel: made once, under a lock, and whole or not at all. Sourced by tools/bazelw.

rootfs_suite=forky # the first suite with a Bazel that users still run; its glibc is newer than most hosts'
rootfs_bazel=7.7.1
# zip and file: Bazel's test-setup.sh fails a test with undeclared outputs without them.
rootfs_packages=ca-certificates,bazel-bootstrap,bazel-rules-shell,bazel-stardoc
rootfs_packages+=,python3-venv,python3-pip,git,procps,zip,file
# What fetches MariaDB.
rootfs_packages+=,maven
# What tests start as an external service.
rootfs_packages+=,nginx
# The workers of tools/farm, and what gives each of their actions a root directory of its own.
rootfs_packages+=,buildbox,bubblewrap
rootfs_options=(
  --variant=minbase
  "--include=$rootfs_packages"
  # A machine whose clock is wrong, or a mirror that lags, shall not fail.
  '--aptopt=Acquire::Check-Valid-Until "false"'
  '--aptopt=Acquire::Retries "3"'
  --dpkgopt=path-exclude=/usr/share/doc/*
)
rootfs_needs_mb=2048

# Set `rootfs`: its name holds the digest of what is in it, so another list is another root filesystem.
name_rootfs() {
  rootfs=$cache/rootfs-$(printf '%s\n' "$rootfs_suite" "${rootfs_options[@]}" "$(uname -m)" | sha256sum | cut -c1-12)
  rootfs_log=$cache/setup.log
}

# The mark is written last; the files are asked for because a removal may have been cut short too.
rootfs_is_complete() {
  [ -f "$rootfs/.complete" ] && [ -x "$rootfs/usr/bin/bazel" ] && [ -f "$rootfs/usr/share/bazel/A-server.jar" ]
}

ensure_rootfs() {
  if rootfs_is_complete && command -v bwrap >/dev/null; then return; fi
  (make_rootfs_once) 9>>"$cache/lock"
}

# mmdebstrap inherits the lock: were this script killed, the next one waits until that has ended too.
make_rootfs_once() {
  check_tools
  if ! flock --nonblock 9; then
    say "waiting for another bazelw to finish setting up $rootfs…"
    flock 9
  fi
  : >"$rootfs_log"
  install_tools
  if rootfs_is_complete; then exit 0; fi
  remove_half_made
  check_namespaces
  check_disk
  partial=$(mktemp -d "$cache/rootfs-partial.XXXXXX") || die "cannot make a directory in $cache"
  trap 'remove_tree "$partial"' EXIT
  say "setting up Bazel $rootfs_bazel in $rootfs (a minute or two, 1.5 GB, once)"
  SECONDS=0
  run_mmdebstrap || fail_setup "mmdebstrap failed"
  verify_rootfs
  mv -T "$partial" "$rootfs" || fail_setup "cannot move $partial to $rootfs"
  trap - EXIT
  say "set up after $SECONDS s"
}

# Only one who holds the lock may call this. `--one-file-system`: should anything be mounted in there, it is not ours.
remove_tree() { rm -rf --one-file-system -- "$@"; }

remove_half_made() {
  local leftover
  for leftover in "$rootfs" "$cache"/rootfs-partial.*; do
    [ -e "$leftover" ] || continue
    say "removing the half-made root filesystem $leftover"
    remove_tree "$leftover" || die "cannot remove $leftover" "Remove it by hand (as its owner) and call again."
  done
}

# Set `missing` to the Debian packages whose programs are not there.
list_missing() {
  missing=()
  command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
  command -v bwrap >/dev/null || missing+=(bubblewrap)
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring gpg)
  # Without root, mmdebstrap works in a user namespace with a range of ids, which only these setuid programs may grant.
  if [ "$(id -u)" -ne 0 ] && ! command -v newuidmap >/dev/null; then missing+=(uidmap); fi
}

may_install() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; }

check_tools() {
  local remedy
  list_missing
  if [ "${#missing[@]}" -gt 0 ] && ! may_install; then
    if command -v apt-get >/dev/null; then
      remedy="as root:  apt-get install ${missing[*]}"
    else
      remedy="install these with this system's package manager (it has no apt-get): ${missing[*]}"
    fi
    die "no usable Bazel on this machine, and Debian's cannot be set up: missing ${missing[*]}" \
      ${own_rejected[@]+"${own_rejected[@]}"} "Either install Bazel 7 or newer, or bazelisk, on PATH," "or $remedy"
  fi
  # Another way into the same failure, found here and not after a minute of work.
  if [ "$(id -u)" -ne 0 ] && ! grep -qsE "^($(id -un)|$(id -u)):" /etc/subuid; then
    die "user $(id -un) has no range of ids in /etc/subuid, which a root filesystem made without root needs" \
      "As root:  usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un)"
  fi
}

install_tools() {
  list_missing # anew: the one waited for may have installed them and failed later
  [ "${#missing[@]}" -gt 0 ] || return 0
  say "installing ${missing[*]} with apt-get"
  apt_install || { apt-get update >>"$rootfs_log" 2>&1 && apt_install; } ||
    fail_setup "apt-get could not install ${missing[*]}"
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}" </dev/null >>"$rootfs_log" 2>&1
}

check_namespaces() {
  bwrap --bind / / --dev-bind /dev /dev --bind /proc /proc true 2>>"$rootfs_log" || die \
    "bubblewrap cannot make a namespace here: $(tail -n 1 "$rootfs_log")" \
    "In a container, start that with --privileged, or with" \
    "  --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined." \
    "On Ubuntu, as root:  sysctl kernel.apparmor_restrict_unprivileged_userns=0" \
    "$install_bazel"
}

free_mb() { df -Pk "$cache" | awk 'NR == 2 { printf "%d", $4 / 1024 }'; }

check_disk() {
  local free
  free=$(free_mb)
  [ "$free" -ge "$rootfs_needs_mb" ] || die \
    "not enough disk space for Bazel's root filesystem: $cache has $free MB free, $rootfs_needs_mb MB are needed" \
    "Free some, or set REALSERVICES_CACHE_DIR to a directory elsewhere."
}

# As root straight into the directory, and with mounts of its own: mmdebstrap puts /proc, /sys and /dev into the new root
# filesystem, and where it is killed they would stay on the machine. Without root through an archive: else the files
# would belong to ids that the user can neither write nor remove, and those ids may not even enter a private home.
run_mmdebstrap() {
  local mirror=()
  if [ -n "${REALSERVICES_DEBIAN_MIRROR:-}" ]; then mirror=("$REALSERVICES_DEBIAN_MIRROR"); fi
  exec 3>>"$rootfs_log"
  if [ "$(id -u)" -eq 0 ]; then
    unshare --mount -- mmdebstrap --mode=root "${rootfs_options[@]}" "$rootfs_suite" "$partial" \
      ${mirror[@]+"${mirror[@]}"} </dev/null >&3 2>&3
  else
    mmdebstrap --mode=unshare --format=tar "${rootfs_options[@]}" "$rootfs_suite" - ${mirror[@]+"${mirror[@]}"} \
      </dev/null 2>&3 |
      tar -x -C "$partial" --no-same-owner --delay-directory-restore --exclude='./dev/*' 2>&3 &&
      chmod -R u+rwX "$partial"
  fi
}

verify_rootfs() {
  local answer file
  # What enter.bash lays over these must find a place, also for a user who does not own them.
  for file in hosts resolv.conf pip.conf; do [ -e "$partial/etc/$file" ] || : >"$partial/etc/$file"; done
  chmod 755 "$partial"
  answer=$(ask_rootfs_version) || fail_setup "the Bazel in the new root filesystem does not start"
  if ! [[ $answer =~ ^bazel\ ([0-9]+)\. ]] || [ "${BASH_REMATCH[1]}" -lt 7 ]; then
    fail_setup "the new root filesystem has '$answer', and 7 is the oldest Bazel that works"
  fi
  # A machine that loses power now must not find the mark without the files.
  { sync -f "$partial" && printf '%s\n' "$answer" >"$partial/.complete"; } || fail_setup "cannot write to $partial"
}

ask_rootfs_version() {
  prepare_entry "$partial"
  restrict_environment ""
  "${entry[@]}" --chdir / -- bazel --version 2>>"$rootfs_log"
}

fail_setup() {
  local line
  say "error: $1; the last lines of $rootfs_log:"
  tail -n 15 "$rootfs_log" | while IFS= read -r line; do printf '  | %s\n' "$line" >&2; done
  say "$cache has $(free_mb) MB free; another call starts anew, and with Bazel 7 or newer on PATH none of it is needed"
  exit 1
}
