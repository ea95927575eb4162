# shellcheck shell=bash
# Guest: what happens to a server in its life, while twenty clients on the host talk.
# shellcheck source=guest.sh
. /payload/guest.sh

systemctl start avahi-daemon
apt_ install -y "$old"
# The history has to hold what a client misses while the server is away.
printf 'EDGECHAT_HISTORY=5000\nEDGECHAT_REPLAY_LIMIT=5000\n' >>/etc/default/edgechat
systemctl restart edgechat.service
touch /job/ready
until_ 120 test -e /job/talking
talking() { [ ! -e /job/host.rc ] || fail "the clients are gone"; }

# Somebody who connects all the time, from inside: curl says 7 for a refusal, and anything but
# 0 for a connection that was taken and not served.
knock() {
	local rc
	while [ ! -e /run/no-more-knocks ]; do
		rc=0
		curl -s -o /dev/null --max-time 60 http://127.0.0.1:3000/healthz || rc=$?
		echo "$rc" >>/run/knocks
	done
}
knocks() {
	talking
	rm -f /run/no-more-knocks
	: >/run/knocks
	knock &
	"$@"
	sleep 3
	touch /run/no-more-knocks
	wait $!
	echo "knocks: $(sort /run/knocks | uniq -c | awk '{ print $1 " with " $2 }' | paste -sd, -)"
	! grep -qv '^0$' /run/knocks || fail "somebody was refused or not served"
}

restarts() {
	local _
	for _ in 1 2 3; do
		systemctl restart edgechat.service
		sleep 4
	done
}
say three restarts
knocks restarts

say kill -9
was=$(pid)
kill -9 "$was"
until_ 60 active
[ "$(pid)" != "$was" ]
[ "$(systemctl show -p NRestarts --value edgechat.service)" = 1 ]
sleep 5
talking

say upgrade
before=$(edgechat version)
upgrade() { apt_ install -y "$new"; }
knocks upgrade
active
echo "$before -> $(edgechat version)"
[ "$(edgechat version | cut -d ' ' -f 2)" = v0.0.2 ]
grep -qx EDGECHAT_HISTORY=5000 /etc/default/edgechat || fail "an upgrade took the settings"
sleep 5

say the watchdog
was=$(pid)
kill -STOP "$was"
until_ 90 sh -c "systemctl show -p MainPID --value edgechat.service | grep -qvxE '0|$was'"
until_ 60 active
journalctl -u edgechat.service -o cat --no-pager | grep -m 1 -i 'watchdog timeout'
sleep 10
talking

say the end
touch /job/stop
until_ 200 test -e /job/host.rc
[ "$(cat /job/host.rc)" = 0 ] || fail "the clients complain"
grep -E '^(VmHWM|VmRSS)' "/proc/$(pid)/status"
journalctl -u edgechat.service -p warning --no-pager -o cat | grep -v '^goroutine\|^	\|^$' | head -n 20
say "done"
