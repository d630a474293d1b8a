#!/usr/bin/env bash
# Real servers and clients that the tests speak to, and a browser. Fails if they cannot be had: such a test never passes
# by being skipped in CI.
set -euo pipefail

ntpsec="${NTPSEC_ROOT:-/opt/ntpsec}"
export DEBIAN_FRONTEND=noninteractive

# The browser that the pages are tested in, and letters for it.
if [ ! -x /usr/bin/chromium ]; then
  apt-get update
  apt-get install -y --no-install-recommends chromium fonts-dejavu-core
fi

if [ ! -x /usr/sbin/chronyd ] || [ ! -x "$ntpsec/usr/sbin/ntpd" ] || [ ! -x "$ntpsec/usr/bin/ntpdig" ] ||
  [ ! -x /usr/bin/python3 ] || ! command -v ip >/dev/null || ! command -v openssl >/dev/null; then
  apt-get update
  apt-get install -y --no-install-recommends chrony openssl iproute2 libbsd0 libcap2 libssl3 python3
fi

# Debian does not let ntpsec be installed beside chrony, so it is only unpacked: its daemon needs nothing else of it, and
# its client ntpdig its Python modules (PYTHONPATH), which look for their library beside themselves.
if [ ! -x "$ntpsec/usr/sbin/ntpd" ] || [ ! -x "$ntpsec/usr/bin/ntpdig" ]; then
  archive="$(mktemp -d)"
  (cd "$archive" && apt-get download ntpsec ntpsec-ntpdig python3-ntp)
  mkdir -p "$ntpsec"
  for package in "$archive"/*.deb; do dpkg -x "$package" "$ntpsec"; done
  cp -L "$ntpsec"/usr/lib/*/ntp/libntpc.so "$ntpsec/usr/lib/python3/dist-packages/ntp/"
  rm -r "$archive"
fi
