package admin

import (
	"strings"
	"testing"
	"time"
)

func TestPage(t *testing.T) {
	s := Status{
		Version: "v1", PID: 7, Uptime: 90_061, State: "degraded", Listeners: []string{":3000", "a.sock"}, Access: "everyone may",
		Problems:    []Problem{{"store", "messages are in memory alone", "df -h /data"}},
		Warnings:    []Problem{{"log", "9 lines were dropped", "read them"}},
		Connections: Connections{WebSocket: 12, Streams: 2, HTTP: 3, Waiting: 1, Addresses: 3, Peers: []Peer{{"192.0.2.7", 9}, {"", 2}}},
		Rooms:       2, Members: 10, Quiet: 2, Messages: Messages{Published: 5, Delivered: 50, PublishedRate: 0.25, DeliveredRate: 2.5, Recovered: 4, Gaps: 1, Slow: 2},
		Refused:  Refused{Requests: map[string]uint64{"unauthorized": 3, "not_found": 9, "forbidden": 3, "internal": 1}},
		Delivery: Latency{9, 0.00025, 0.01}, Store: Store{Path: "/data", Medium: "ext4", Free: 3 << 30, Rooms: 2, Bytes: 1536, Start: "crash", Pending: 4, Waiting: 3, Backup: new(200.0), Backups: 2, BackupsFailed: 1},
		Written: Written{Flushes: 8, Day: 5 << 20, Over: 3700, Year: 43 << 30}, Process: Process{Resident: 14 << 20, Heap: 2 << 20, MemoryLimit: 200 << 20, Descriptors: 20, DescriptorLimit: 1024},
		Log: Log{"info", 9},
	}
	var b strings.Builder
	if n, err := s.WriteTo(&b); err != nil || int(n) != b.Len() {
		t.Fatal(n, err)
	}
	const want = `edgechat     v1, up 1 d 1 h, process 7
state        degraded
listens on   :3000, a.sock
access       everyone may
connections  12 WebSocket, 2 streams, 3 HTTP, 1 that have said nothing yet
  from       192.0.2.7 (9), unix sockets (2), and 1 more
rooms        2, with 10 members and 2 quiet ones
messages     0.2 published and 2.5 delivered a second; 5 and 50 since the start
came back    4 missed nothing, 1 did; 2 were closed as too slow
refused      16 (not_found 9, forbidden 3, unauthorized 3); frames: none; by limits: none
delivery     half within 250µs, 99 of 100 within 10ms
commit       none yet
store        1.5 KiB of 2 rooms in /data; NOT on the card: in memory alone
  found as   it was left by a crash or a power cut: it goes on with what was acknowledged
  waiting    4 messages for the card, and 3 acks
  backups    the last 3 min 20 s ago, 2 since the start, 1 failed
medium       ext4, 3.0 GiB free; 0 commits failed, 0 messages were lost to damage
written      5.0 MiB in the last 1 h 1 min, some 43.0 GiB a year; 8 flushes since the start
memory       14.0 MiB resident, 2.0 MiB heap of 200 MiB
descriptors  20 of 1024
log          level info, 9 lines dropped

PROBLEM: messages are in memory alone
  to do: df -h /data

warning: 9 lines were dropped
  to do: read them
`
	if b.String() != want {
		t.Errorf("the page is\n%s\nwant\n%s", b.String(), want)
	}
}

// What people have chosen is quoted: it could steer a terminal.
func TestPageOfRooms(t *testing.T) {
	rooms := []Room{{Name: "a\x1b[2Jb", Members: 3, Rate: 12.345, Messages: 1000, Behind: 1, Slowed: true}, {Name: "den", Quiet: 1}}
	var b strings.Builder
	if err := WriteRooms(&b, rooms); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.Contains(text, `"a\x1b[2Jb"  3        0      12.3`) || !strings.Contains(text, "publishers wait") || strings.ContainsRune(text, '\x1b') {
		t.Errorf("%s", text)
	}
	d := RoomDetail{Room: rooms[0], Who: []Member{{"ann\x07", true, 2, time.Unix(0, 0)}}}
	b.Reset()
	if _, err := d.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.Contains(text, `"ann\a"  2            1970-01-01T00:00:00Z  verified`) || !strings.Contains(text, "oldest that is kept none") || strings.ContainsAny(text, "\x1b\x07") {
		t.Errorf("%s", text)
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 bytes", 1023: "1023 bytes", 1024: "1.0 KiB", 200 << 20: "200 MiB", 5 << 40: "5.0 TiB"} {
		if got := Size(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	for s, want := range map[float64]string{0: "0 s", 59.9: "59 s", 61: "1 min 1 s", 3600: "1 h 0 min", 200_000: "2 d 7 h"} {
		if got := Span(s); got != want {
			t.Errorf("%v is %q, want %q", s, got, want)
		}
	}
}
