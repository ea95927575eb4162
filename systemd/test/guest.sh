# shellcheck shell=bash
# What the guest scripts share. Sourced from /payload.
set -euo pipefail

# shellcheck disable=SC2034 # who sources this has use for them
old=/payload/edgechat_0.0.1-1_arm64.deb
# shellcheck disable=SC2034
new=/payload/edgechat_0.0.2-1_arm64.deb
export DEBIAN_FRONTEND=noninteractive

say() { echo "-- $* [$(cut -d ' ' -f 1 /proc/uptime) s]"; }
fail() {
	echo "FAILED: $*"
	systemctl status edgechat.service edgechat.socket --no-pager -l || true
	journalctl -u edgechat.service -u edgechat.socket --no-pager -n 60 || true
	exit 1
}
# Who does not say why, said it on the line before.
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR

# until SECONDS COMMAND...: polls.
until_() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || fail "not in time: $*"
		sleep 0.2
	done
}

active() { [ "$(systemctl is-active edgechat.service)" = active ]; }
pid() { systemctl show -p MainPID --value edgechat.service; }

# apt prints what a person would see, and fails at a word of warning.
apt_() {
	local out
	out=$(apt-get -q -o Dpkg::Use-Pty=0 -o APT::Sandbox::User=root "$@" 2>&1) || fail "apt-get $*: $out"
	echo "$out" | grep '^edgechat:' || true
	! echo "$out" | grep -iE '^(W|E):|warning|error|fail|cannot|not found' || fail "apt-get $* was not silent"
}
