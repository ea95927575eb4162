# shellcheck shell=bash
# Guest: from a first installation to a purge, without clients.
# shellcheck source=guest.sh
. /payload/guest.sh

systemctl start avahi-daemon

say install
apt_ install -y "$old" | tee /run/installed
active || fail "it does not run after the installation"
grep -qx 'edgechat: open http://raspberrypi.local:3000' /run/installed || fail "it does not say where it is"
systemctl is-enabled edgechat.service edgechat.socket
systemctl show -p StatusText --value edgechat.service
[ "$(edgechat version | cut -d ' ' -f 2)" = v0.0.1 ]
curl -fsS http://127.0.0.1:3000/readyz
edgechat admin status | grep 'Nothing is wrong'
[ "$(stat -c '%a %U %G' /run/edgechat/admin.sock)" = '660 edgechat edgechat' ]

say hardening
systemd-analyze verify --man=no edgechat.service edgechat.socket 2>&1 | tee /run/verify
[ ! -s /run/verify ] || fail "systemd-analyze verify has something to say"
systemd-analyze security --no-pager --threshold=12 edgechat.service | tail -n 1
[ "$(ps -o user= -p "$(pid)")" = edgechat ]
[ "$(stat -c '%a %U' /var/lib/edgechat)" = '700 edgechat' ]
[ "$(systemctl show -p Backlog --value edgechat.socket)" = 4096 ]
for unit in edgechat.service edgechat-backup.service edgechat-renew.service; do
	systemctl show -p SystemCallFilter --value "$unit" | tr ' ' '\n' >/run/calls
	grep -qx recvmsg /run/calls || fail "$unit has no filter of system calls"
	! grep -x io_uring_setup /run/calls || fail "$unit may use io_uring"
done

say memory and rest
grep -E '^(VmRSS|Threads)' "/proc/$(pid)/status"

say avahi
until_ 30 sh -c 'avahi-browse -tp _edgechat._tcp | grep -q edgechat'
until_ 30 sh -c 'avahi-browse -tpr _http._tcp | grep -q ";3000;"'
avahi-browse -tpr _edgechat._tcp | grep '^=' | head -n 1

say history over a restart
for n in 1 2 3; do curl -fsS -d "message $n" 'http://127.0.0.1:3000/chat/room/den/messages?username=nas' >/dev/null; done
systemctl restart edgechat.service
[ "$(curl -fsS http://127.0.0.1:3000/chat/room/den/messages | grep -o '"content":"message [0-9]"' | sort -u | wc -l)" = 3 ]

say tokens
token=$(edgechat token create alice --tokens /etc/credstore/edgechat.tokens)
systemctl restart edgechat.service
code() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
[ "$(code http://127.0.0.1:3000/chat/rooms)" = 401 ] || fail "it serves without a token"
[ "$(code -H "Authorization: Bearer $token" http://127.0.0.1:3000/chat/rooms)" = 200 ] || fail "it does not take the token"
edgechat token revoke alice --tokens /etc/credstore/edgechat.tokens
systemctl restart edgechat.service
[ "$(code -H "Authorization: Bearer $token" http://127.0.0.1:3000/chat/rooms)" = 401 ] || fail "it takes a token that was revoked"
rm /etc/credstore/edgechat.tokens
systemctl restart edgechat.service
[ "$(code http://127.0.0.1:3000/chat/rooms)" = 200 ]

say tokens that count on a reload, as docs/pi.md has them
install -m 600 -o edgechat /dev/null /etc/edgechat.tokens
echo EDGECHAT_TOKENS=/etc/edgechat.tokens >>/etc/default/edgechat
token=$(edgechat token create alice --tokens /etc/edgechat.tokens)
systemctl restart edgechat.service
[ "$(code -H "Authorization: Bearer $token" http://127.0.0.1:3000/chat/rooms)" = 200 ] || fail "it does not take the token"
edgechat token revoke alice --tokens /etc/edgechat.tokens
systemctl reload edgechat.service
[ "$(code -H "Authorization: Bearer $token" http://127.0.0.1:3000/chat/rooms)" = 401 ] || fail "it takes a token that was revoked"
sed -i '/^EDGECHAT_TOKENS=/d' /etc/default/edgechat # the file stays, for the purge to take
systemctl restart edgechat.service

say what the service uses
edgechat token create alice --tokens /etc/credstore/edgechat.tokens >/dev/null
systemctl restart edgechat.service
xargs -0 -a "/proc/$(pid)/environ" sh -c 'env -i "$@" edgechat config' - | tee /run/config
grep -E '^tokens +/run/credentials/edgechat.service/tokens +credential tokens$' /run/config || fail "config does not know of the credential"
grep -E '^data +/var/lib/edgechat +environment STATE_DIRECTORY$' /run/config
rm /etc/credstore/edgechat.tokens
systemctl restart edgechat.service

say reload
systemctl reload edgechat.service
active

say port 80
mkdir -p /etc/systemd/system/edgechat.socket.d
printf '[Socket]\nListenStream=80\n' >/etc/systemd/system/edgechat.socket.d/override.conf
systemctl daemon-reload
systemctl restart edgechat.socket
systemctl start edgechat.service
until_ 20 curl -fsS http://127.0.0.1/healthz
curl -fsS http://127.0.0.1:3000/healthz
rm -r /etc/systemd/system/edgechat.socket.d
systemctl daemon-reload
systemctl restart edgechat.socket
systemctl start edgechat.service
active

say TLS at port 443, and its renewal
runuser -u edgechat -- edgechat ca init --folder /var/lib/edgechat/tls --name board.local
printf 'EDGECHAT_TLS_CERT=/var/lib/edgechat/tls/server.crt\nEDGECHAT_TLS_KEY=/var/lib/edgechat/tls/server.key\n' >>/etc/default/edgechat
printf '[Socket]\nListenStream=443\nFileDescriptorName=tls\nFreeBind=yes\nService=edgechat.service\n' >/etc/systemd/system/edgechat-tls.socket
systemctl daemon-reload
systemctl stop edgechat.socket edgechat.service
systemctl start edgechat-tls.socket edgechat.socket edgechat.service
until_ 20 curl -fsS --cacert /var/lib/edgechat/tls/ca.crt --resolve board.local:443:127.0.0.1 https://board.local/healthz
curl -fsS http://127.0.0.1:3000/healthz
systemctl enable --now edgechat-renew.timer
systemctl start edgechat-renew.service
journalctl -u edgechat-renew.service -o cat --no-pager | grep 'is not due'
systemctl disable --now edgechat-renew.timer
systemctl stop edgechat-tls.socket edgechat.socket edgechat.service
rm -r /etc/systemd/system/edgechat-tls.socket /var/lib/edgechat/tls
sed -i '/^EDGECHAT_TLS_/d' /etc/default/edgechat
systemctl daemon-reload
systemctl start edgechat.socket edgechat.service
active

say a mistake in the settings
echo EDGECHAT_HISTORY=many >>/etc/default/edgechat
systemctl restart edgechat.service 2>/dev/null && fail "it runs with nonsense"
journalctl -u edgechat -o cat -n 20 --no-pager | grep 'EDGECHAT_HISTORY: "many" is not a whole number'
sed -i 's/^EDGECHAT_HISTORY=.*/EDGECHAT_HISTORY=5000/' /etc/default/edgechat
systemctl restart edgechat.service
active

say stop for a backup
systemctl stop edgechat.socket
! active || fail "it still runs"
[ "$(code http://127.0.0.1:3000/healthz)" = 000 ]
systemctl start edgechat.service
active
curl -fsS http://127.0.0.1:3000/healthz

say journal
journalctl -u edgechat.service --no-pager -o short | tail -n 12
! journalctl -u edgechat.service --no-pager -o cat | grep -E 'time=|20[0-9]{2}-[0-9]{2}-[0-9]{2}T' || fail "times twice"
! journalctl -u edgechat.service --no-pager -o cat | grep -iE 'operation not permitted|read-only file system|SIGSYS' || fail "the sandbox is in the way"

say remove, and back
apt_ remove -y edgechat
[ -e /var/lib/edgechat/edgechat.db ] || fail "a removal took the data"
grep -qx EDGECHAT_HISTORY=5000 /etc/default/edgechat
[ "$(code http://127.0.0.1:3000/healthz)" = 000 ]
apt_ install -y "$old"
active
[ "$(curl -fsS http://127.0.0.1:3000/chat/room/den/messages | grep -o '"content":"message [0-9]"' | sort -u | wc -l)" = 3 ] || fail "the history is not back"

say what was disabled stays so
systemctl disable --now edgechat.socket edgechat.service 2>/dev/null
apt_ install -y "$new"
! active || fail "an upgrade started what was disabled"
systemctl enable --now edgechat.socket edgechat.service 2>/dev/null
active

say purge
apt_ purge -y edgechat
! getent passwd edgechat || fail "the user is still there"
left=$(find / -xdev \( -path /job -o -path /payload -o -path /proc -o -path /sys \) -prune -o -name '*edgechat*' -print)
[ -z "$left" ] || fail "left behind: $left"
[ ! -e /etc/credstore ] || fail "left behind: /etc/credstore"
[ "$(code http://127.0.0.1:3000/healthz)" = 000 ]
say "done"
