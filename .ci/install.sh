#!/usr/bin/env bash
# Real servers that the tests speak to. Fails if they cannot be had: such a test never passes by being skipped in CI.
set -euo pipefail

if [ ! -x /usr/sbin/chronyd ]; then
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chrony
fi
