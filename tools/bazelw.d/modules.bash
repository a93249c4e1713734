# shellcheck shell=bash disable=SC2154 # variables of tools/bazelw and of the other parts
# Bazel modules without a registry: overrides that lead to Debian's packages in the root filesystem. Sourced by
# tools/bazelw.

# Module and directory below /usr/share/bazel of the root filesystem.
debian_modules='
platforms       tools/platforms
bazel_features  tools/features
bazel_skylib    tools/skylib
stardoc         tools/stardoc
rules_cc        rules/cc
rules_java      rules/java
rules_license   rules/license
rules_proto     rules/proto
rules_python    rules/python
rules_shell     rules/shell
'
# Bazel's built-in modules name these too, Debian packages none of them, and nothing here needs their contents.
stub_modules='apple_support buildozer protobuf zlib'

modules="" # the directory that write_modules makes

# Write the rc files and the stubs, and set `modules` to their directory. Its name holds the digest of all it is made
# from, so what stands under the name is complete and right.
write_modules() {
  local digest partial
  digest=$({ cat "$parts/modules.bash" && printf '%s' "$rootfs"; } | sha256sum | cut -c1-12)
  modules=$state/modules-$digest
  [ ! -d "$modules" ] || return 0
  partial=$(mktemp -d "$state/modules-partial.XXXXXX")

  write_stubs "$partial/stubs"
  write_empty_modules "$partial/empty"
  # In place of Debian's, which overrides modules always. The two lines are what Debian's build of Bazel needs to start.
  printf 'startup --install_base=/usr/share/bazel\nstartup --trust_install_base\n' >"$partial/system.bazelrc"
  override_lines /usr/share/bazel >"$partial/rootfs.bazelrc"
  override_lines "$rootfs/usr/share/bazel" >"$partial/own.bazelrc"
  # Actions have a /tmp of their own, in which sources of modules below /tmp would be dangling links.
  case $cache in /tmp/*) printf 'common "--sandbox_add_mount_pair=%s"\n' "$rootfs" >>"$partial/own.bazelrc" ;; esac
  probe_lines >"$partial/probe.bazelrc"

  # Another bazelw may have been faster; then `mv` fails, and its files are as good.
  mv -T "$partial" "$modules" 2>/dev/null || rm -rf "$partial"
}

# An override of a module that is not in the graph is an error. Bazel's built-in modules always lead to protobuf, so a
# protobuf that leads to all the others puts them in every graph, whatever the user's own module asks for.
write_stubs() {
  local name
  for name in $stub_modules; do
    mkdir -p "$1/$name"
    printf 'module(name = "%s")\n' "$name" >"$1/$name/MODULE.bazel"
    : >"$1/$name/BUILD"
  done
  name_modules >>"$1/protobuf/MODULE.bazel"
  cat >"$1/buildozer/buildozer_binary.bzl" <<'BZL'
def _impl(_ctx):
    pass

buildozer_binary = module_extension(implementation = _impl)
BZL
}

# Modules without any content, for the question whether the registry answers.
write_empty_modules() {
  local name
  for name in $stub_modules $(debian_module_names); do
    mkdir -p "$1/$name"
    printf 'module(name = "%s")\n' "$name" >"$1/$name/MODULE.bazel"
  done
  name_modules >>"$1/protobuf/MODULE.bazel"
}

debian_module_names() { printf '%s' "$debian_modules" | awk 'NF { print $1 }'; }

name_modules() {
  local name
  for name in $stub_modules $(debian_module_names); do
    [ "$name" = protobuf ] || printf 'bazel_dep(name = "%s", version = "0")\n' "$name"
  done
}

# A lock file is off because it would record the overrides. The repository overrides are for WORKSPACE mode, where the
# module overrides do nothing; in module mode it is they that do nothing.
override_lines() {
  local name directory
  printf 'common --lockfile_mode=off\n'
  for name in $stub_modules; do
    printf 'common "--override_module=%s=%s/stubs/%s"\n' "$name" "$modules" "$name"
  done
  printf '%s' "$debian_modules" | while read -r name directory; do
    [ -n "$name" ] || continue
    printf 'common "--override_module=%s=%s/%s"\n' "$name" "$1" "$directory"
    printf 'common "--override_repository=%s=%s/%s"\n' "$name" "$1" "$directory"
  done
}

# All but one module are given, so that the question costs one small answer.
probe_lines() {
  local name
  printf 'common --lockfile_mode=off --http_connector_attempts=1\n'
  for name in $stub_modules $(debian_module_names); do
    [ "$name" = platforms ] || printf 'common "--override_module=%s=%s/empty/%s"\n' "$name" "$modules" "$name"
  done
}
