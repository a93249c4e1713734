#!/usr/bin/env bash
# Usage: release_prep.sh TAG. Called by bazel-contrib's release workflow in a checkout of the tag: makes the archive for the
# Bazel Central Registry, and prints the release's notes.
set -euo pipefail

tag=$1
version=${tag#v}
name=rules_realservices

# As a source archive of GitHub's is laid out, so that users can change between the two. -n: no time stamp, so the same bytes.
git archive --format=tar --prefix="$name-$version/" "$tag" | gzip -n >"$name-$tag.tar.gz"

cat <<NOTES
\`\`\`starlark
bazel_dep(name = "$name", version = "$version")
\`\`\`

\`\`\`console
\$ pip install 'rules-realservices[postgres,redis]==$version'
\`\`\`

NOTES
tools/release notes "$version"
