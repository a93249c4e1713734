# shellcheck shell=bash disable=SC2154 # variables of tools/bazelw and of the other parts
# The way into the root filesystem. /usr and /etc are Debian's; all else is the machine's own, under its own paths, so
# that a path in a message, an option or a link holds on both sides. Sourced by tools/bazelw.

run_in_rootfs() {
  [ "$(uname -s)" = Linux ] ||
    die "no usable Bazel on this machine" ${own_rejected[@]+"${own_rejected[@]}"} "$install_bazel"
  make_cache
  ensure_rootfs
  write_modules
  prepare_entry "$rootfs"

  local options=()
  # `bazel --version` is only understood alone.
  if [ "${1:-}" != --version ]; then
    options=("--output_user_root=$state/bazel" "--host_jvm_args=-Drealservices.mounts=$(digest_mounts)")
    # The quick compiler only: a server that lives for a few commands takes a third less of processor time and memory.
    options+=(--host_jvm_args=-XX:TieredStopAtLevel=1)
    if [ -f "${HOME:-}/.bazelrc" ]; then options+=("--bazelrc=$HOME/.bazelrc"); fi
    registry_in_reach "" "$@" || options+=("--bazelrc=$modules/rootfs.bazelrc")
  fi

  drop_links_unless rootfs
  # bwrap waits for Bazel, and Ctrl-C reaches both. It must outlive Bazel's own handling of it, or the shell would come
  # back while Bazel still stops its tests; so it ignores the signal, and Bazel gets it back. SIGTERM ends bwrap alone,
  # and then Bazel is told.
  trap '' INT QUIT
  restrict_environment "$(named_variables "$@")"
  exec "${entry[@]}" --chdir "$(pwd -P)" -- setpriv --pdeathsig TERM env --default-signal=INT,QUIT \
    bazel ${options[@]+"${options[@]}"} "$@"
}

# Bazel's server keeps the mounts it was started with, and later calls talk to that server. A call with other mounts
# must get another server; Bazel starts one when an option like this one differs.
digest_mounts() { { printf '%s\n' "${mounts[@]}" && stat -c %i "$rootfs"; } | sha256sum | cut -c1-12; }

# Usage: prepare_entry ROOT. Set `mounts`, and `entry` to the command that runs another one in ROOT.
prepare_entry() {
  mounts=()
  mount_debian "$1"
  mount_machine
  mount_files "$1"
  mounts+=(--remount-ro /etc --remount-ro /usr)
  entry=("$(command -v bwrap)" "${mounts[@]}")
}

mount_debian() {
  local root=$1 link
  mounts+=(--bind "$root/usr" /usr --bind "$root/etc" /etc)
  for link in "$root"/bin "$root"/sbin "$root"/lib*; do
    if [ -L "$link" ]; then mounts+=(--symlink "$(readlink "$link")" "/${link##*/}"); fi
  done
  # Not bwrap's own --proc: with that, linux-sandbox cannot mount /proc, and Bazel silently takes
  # processwrapper-sandbox.
  mounts+=(--dev-bind /dev /dev --bind /proc /proc --ro-bind /sys /sys)
}

mount_machine() {
  local directory path
  for directory in /*; do
    case ${directory#/} in
      bin | boot | dev | etc | lib* | lost+found | proc | sbin | sys | usr) continue ;;
    esac
    if [ -L "$directory" ]; then
      mounts+=(--symlink "$(readlink "$directory")" "$directory")
    elif [ -d "$directory" ]; then
      mounts+=(--bind "$directory" "$directory")
    fi
  done
  # A checkout in /usr/src, say.
  for path in "$(project_root)" "$cache"; do
    case $path in /usr/* | /etc/*) mounts+=(--bind "$path" "$path") ;; esac
  done
}

# The outermost directory with a mark of a project: a workspace may name another one above it by local_path_override.
project_root() {
  local directory root
  directory=$(pwd -P)
  root=$directory
  while [ -n "$directory" ]; do
    if is_workspace "$directory" || [ -e "$directory/.git" ]; then root=$directory; fi
    directory=${directory%/*}
  done
  printf '%s\n' "$root"
}

# Where npm looks for the machine's configuration, by the place it is installed in; the npm in there is in another.
npmrc=(/usr/etc/npmrc /usr/local/etc/npmrc /etc/npmrc)

# What the network, pip, npm and Maven need from the machine: names, certificates, settings, wheels.
mount_files() {
  local root=$1 path
  for path in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/java/cacerts \
    /etc/maven/settings.xml "${npmrc[@]}" \
    "${PIP_CERT:-}" "${PIP_CLIENT_CERT:-}" "${PIP_CONFIG_FILE:-}" ${PIP_FIND_LINKS:-} \
    "${SSL_CERT_FILE:-}" "${REQUESTS_CA_BUNDLE:-}" "${CURL_CA_BUNDLE:-}" "${NODE_EXTRA_CA_CERTS:-}"; do
    case $path in /usr/* | /etc/*) ;; *) continue ;; esac
    case " ${mounts[*]} " in *" $path "*) continue ;; esac
    if [ ! -e "$path" ] || [ -L "$root$path" ]; then continue; fi
    # A place for it can be made only by the owner of the root filesystem.
    if [ -e "$root$path" ] || [ -w "$root/etc" ]; then mounts+=(--ro-bind "$(readlink -f "$path")" "$path"); fi
  done
  if [ "$(id -u)" -ne 0 ]; then mount_user "$root"; fi
  if [ -n "${modules:-}" ]; then mounts+=(--ro-bind "$modules/system.bazelrc" /etc/bazel/bazelrc); fi
}

# initdb and others refuse a user id without a name; the machine may know it from elsewhere than its files.
mount_user() {
  local base
  for base in passwd group; do
    {
      cat "$1/etc/$base"
      case $base in passwd) getent passwd "$(id -u)" ;; group) getent group "$(id -g)" ;; esac || true
    } >"$state/$base.$$"
    mv "$state/$base.$$" "$state/$base"
    mounts+=(--ro-bind "$state/$base" "/etc/$base")
  done
}

# Usage: restrict_environment "NAMES". Keep only what Bazel, pip and the tests read, and those NAMES: a pyenv on PATH,
# PYTHONPATH or LD_LIBRARY_PATH of the machine would break what runs in there. The environment and not bwrap's --setenv:
# an index URL may hold a password, and everyone can read a command line.
restrict_environment() {
  local name home=${HOME:-} config=${XDG_CONFIG_HOME:-${HOME:-}/.config}
  for name in $(compgen -e); do
    case $name in
      TERM | COLORTERM | COLUMNS | LINES | NO_COLOR | USER | LOGNAME | CI | NETRC | SOURCE_DATE_EPOCH) ;;
      PIP_* | npm_config_* | NPM_CONFIG_* | *_proxy | *_PROXY) ;;
      SSL_CERT_FILE | SSL_CERT_DIR | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE | NODE_EXTRA_CA_CERTS) ;;
      REALSERVICES_* | TEST_* | DATABASE_URL | REDIS_URL | CLICKHOUSE_URL) ;;
      *) case " $1 " in *" $name "*) ;; *) export -n "${name?}" ;; esac ;;
    esac
  done
  # HOME is another one inside, so what tools read from the user's is named to them.
  export_file PIP_CONFIG_FILE "$config/pip/pip.conf"
  export_file PIP_CONFIG_FILE "$home/.pip/pip.conf"
  export_file NETRC "$home/.netrc"
  export_file NPM_CONFIG_USERCONFIG "$home/.npmrc"
  for name in "${npmrc[@]}"; do export_file NPM_CONFIG_GLOBALCONFIG "$name"; done
  # LANG is fixed because Debian's base has no other locale.
  export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=$state/home LANG=C.UTF-8
  # Debian's build has no version of its own, and rulesets take that for the newest there is.
  export BAZEL_DEV_VERSION_OVERRIDE=$rootfs_bazel
  export PIP_CACHE_DIR=${PIP_CACHE_DIR:-$state/pip}
}

export_file() {
  if [ -z "${!1:-}" ] && [ -f "$2" ]; then export "$1=$2"; fi
}

# Usage: named_variables ARGS…: those in REALSERVICES_PASS_ENV, and those whose values Bazel is told to take from its
# environment (--test_env=NAME without a value).
named_variables() {
  local argument
  printf '%s' "${REALSERVICES_PASS_ENV:-}"
  for argument in "$@"; do
    case $argument in
      --*_env=*=*) ;;
      --*_env=*) printf ' %s' "${argument#*=}" ;;
    esac
  done
}
