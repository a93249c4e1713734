#!/bin/sh
# Makes the buckets, which are directories, and becomes the server. It runs in the service's own directory.
# Usage: s3_server.sh RCLONE ADDRESS [BUCKET ...]
set -eu
rclone=$1
address=$2
shift 2
mkdir -p objects
for bucket in "$@"; do
  mkdir -p "objects/$bucket"
done
# Without a configuration: the user's own remotes are none of a test's business.
exec "$rclone" serve s3 --config "" --addr "$address" objects
