# shellcheck shell=bash
# Guest: what somebody does who looks after a server: the admin socket, backups, the lines of docs/pi.md, the doctor.
# shellcheck source=guest.sh
. /payload/guest.sh

systemctl start avahi-daemon
apt_ install -y "$new"
active

say who may open the admin socket
stat -c '%a %U %G %n' /run/edgechat /run/edgechat/admin.sock
[ "$(stat -c '%a %U %G' /run/edgechat)" = '750 edgechat edgechat' ]
[ "$(stat -c '%a %U %G' /run/edgechat/admin.sock)" = '660 edgechat edgechat' ]
useradd -m -G edgechat keeper
useradd -m visitor
runuser -u keeper -- edgechat admin status | tee /run/status
grep -q 'Nothing is wrong' /run/status
for command in 'admin status' 'backup -'; do
	rc=0
	# shellcheck disable=SC2086 # two words each
	runuser -u visitor -- edgechat $command >/run/out 2>/run/refused || rc=$?
	cat /run/refused
	[ "$rc" = 1 ] || fail "edgechat $command: $rc for who is not in the group"
	[ ! -s /run/out ] || fail "edgechat $command: something was written"
	grep -q 'error: user visitor may not open the admin socket /run/edgechat/admin.sock: permission denied' /run/refused
	grep -q 'hint: join the group of the socket (sudo usermod -aG edgechat visitor, then log in again), or use sudo' /run/refused
done
runuser -u visitor -- edgechat admin log-level debug 2>/dev/null && fail "who is not in the group changes the level"
runuser -u keeper -- edgechat admin log-level info

say a backup through a pipe while somebody talks
post() { curl -fsS -o /dev/null -d "$1" 'http://127.0.0.1:3000/chat/room/den/messages?username=nas'; }
for n in $(seq 30); do post "said before $n"; done
talk() {
	local n=0
	while [ ! -e /run/no-more-talk ]; do
		post "meanwhile $((n += 1))"
		sleep 0.2
	done
}
talk &
runuser -u keeper -- edgechat backup - | cat >/run/piped
touch /run/no-more-talk
wait $!
edgechat check /run/piped
edgechat restore /run/piped --data /run/piped.store
[ "$(edgechat export den --data /run/piped.store | grep -c '"content":"said before ')" = 30 ] || fail "the backup lacks what was acknowledged"

say the timer
folder=/var/lib/edgechat-backup
backups() { find "$folder" -name '*.backup' | sort; }
[ "$(systemctl is-enabled edgechat-backup.timer || true)" = disabled ] || fail "it is not off"
[ ! -e "$folder" ] || fail "somebody made a backup"
# The timer itself, only sooner.
mkdir /etc/systemd/system/edgechat-backup.timer.d
printf '[Timer]\nOnCalendar=\nOnCalendar=*:*:0/10\nRandomizedDelaySec=0\nAccuracySec=1\n' >/etc/systemd/system/edgechat-backup.timer.d/sooner.conf
systemctl daemon-reload
systemctl enable --now edgechat-backup.timer
until_ 60 sh -c "ls $folder/*.backup"
systemctl stop edgechat-backup.timer
idle() { [ "$(systemctl is-active edgechat-backup.service)" = inactive ]; }
until_ 60 idle
rm -r /etc/systemd/system/edgechat-backup.timer.d
systemctl daemon-reload
stat -c '%a %U %G %n' "$folder" "$(backups | head -n 1)"
[ "$(stat -c '%a %U' "$folder")" = '700 edgechat' ]
[ "$(stat -c '%a %U' "$(backups | head -n 1)")" = '600 edgechat' ]
first=$(backups | head -n 1)
for _ in $(seq 8); do
	sleep 1 # their names have seconds
	systemctl start edgechat-backup.service
done
ls -l "$folder"
[ "$(backups | wc -l)" = 7 ] || fail "not the newest seven"
[ ! -e "$first" ] || fail "the oldest is still there"
backups | while read -r file; do edgechat check "$file"; done
journalctl -u edgechat-backup.service -o cat --no-pager | grep 'edgechat: ' | tail -n 2

say a backup of a server that is stopped
systemctl stop edgechat.socket
! active || fail "it still runs"
sleep 1
systemctl start edgechat-backup.service
! active || fail "the backup has started the server"
edgechat check "$(backups | tail -n 1)"
systemctl start edgechat.service
active

say the lines of docs/pi.md about backups
# As the user that a Raspberry Pi has, whom sudo does not ask for anything.
useradd -m -G adm pi
if ! command -v sudo; then
	sed -i '1i auth sufficient pam_permit.so' /etc/pam.d/su
	printf '#!/bin/sh\nexec su -c '\''exec "$@"'\'' -- root sh "$@"\n' >/usr/local/bin/sudo
	chmod 755 /usr/local/bin/sudo
fi
# A block of a unit is no command, and begins with its section.
awk '/^## /{ in_part = $0 == "## Backup" } in_part && /^    /{ if ($1 ~ /^\[/) skip = 1; if (!skip) print substr($0, 5) } !/^    /{ skip = 0 }' /usr/share/doc/edgechat/pi.md >/run/lines
[ "$(wc -l </run/lines)" -ge 12 ] || fail "the page lacks its lines: $(cat /run/lines)"
cd /home/pi
while read -r line; do
	echo "\$ $line"
	runuser -u pi -- env HOME=/home/pi bash -c "$line" </dev/null || fail "$line: $?"
done </run/lines
until_ 30 active
[ "$(grep -c '"content":"said before ' all.ndjson)" = 30 ]
grep -q 'said before 30' den.html
[ "$(edgechat export den | grep -c '"content":"said before ')" = 30 ] || fail "the history is not back"
systemctl disable --now edgechat-backup.timer

say doctor
for who in root keeper; do
	rc=0
	runuser -u "$who" -- edgechat doctor --data /var/lib/edgechat >/run/report || rc=$?
	echo "$who: exit code $rc"
	cat /run/report
	worst=0
	! grep -q '^warning ' /run/report || worst=1
	! grep -q '^problem ' /run/report || worst=2
	[ "$rc" = "$worst" ] || fail "exit code $rc, and the worst is $worst"
done
say "done"
