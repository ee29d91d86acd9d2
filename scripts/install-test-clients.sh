#!/bin/sh
# Mail clients that `make test` talks to. Only for root on a Debian or Ubuntu, only what is missing, and no service is
# started by its package (policy-rc.d). Elsewhere, or when it fails, the tests that need a client are skipped by name.
set -eu

packages=
add() { command -v "$1" >/dev/null 2>&1 || packages="$packages $2"; }
add mbsync isync
add swaks "swaks libnet-ssleay-perl"
add curl curl
add neomutt neomutt
add setpriv util-linux
PATH=$PATH:/usr/sbin
add postfix postfix

[ -n "$packages" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "test clients: not installed:$packages (needs root on Debian or Ubuntu); their tests are skipped" >&2
    exit 0
fi

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections || true
log=$(mktemp)
# shellcheck disable=SC2086  # a list
if { apt-get -q update && apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends $packages; } >"$log" 2>&1; then
    echo "test clients: installed$packages" >&2
else
    echo "test clients: cannot install$packages; their tests are skipped" >&2
    tail -n 3 "$log" >&2
fi
rm -f "$log"
