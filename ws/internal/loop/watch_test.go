//go:build linux

package loop

import (
	"net"
	"net/netip"
	"testing"
)

// TestForget: what is reported of one that was forgotten in this turn is not given to who gets its number.
func TestForget(t *testing.T) {
	l := running(t, Config{})
	forgotten := watch(t, l, func(Events) bool { t.Error("served though it was forgotten"); return false })
	slot := forgotten.slot
	var fresh *probe
	fd, _ := pair(t)
	got := make(chan Events, 10)
	on(t, l, func() {
		l.Unwatch(forgotten)
		fresh = &probe{serve: func(e Events) bool { got <- e; return false }}
		if err := l.Watch(fd, fresh); err != nil {
			t.Error(err)
		}
		if fresh.slot == slot {
			t.Error("the number was given away within the turn")
		}
		forgotten.say(t)
	})
	if e := await(t, got); e != Writable {
		t.Errorf("told %v", e)
	}
	on(t, l, func() {
		l.Unwatch(fresh)
		l.Unwatch(fresh) // again, which does nothing
		l.Forget(forgotten)
	})
	other := watch(t, l, func(Events) bool { return false })
	if other.slot != slot && other.slot != fresh.slot {
		t.Errorf("numbers %d and %d are free, and %d was given", slot, fresh.slot, other.slot)
	}
}

// TestBecome: what comes for a descriptor is its new source's, which is served though nothing comes.
func TestBecome(t *testing.T) {
	l := running(t, Config{})
	old := watch(t, l, func(Events) bool { t.Error("the old one was served"); return false })
	got := make(chan Events, 10)
	fresh := &probe{serve: func(e Events) bool { got <- e; return false }}
	on(t, l, func() {
		l.Become(old, fresh)
		old.say(t)
	})
	if e := await(t, got); e&Readable == 0 || fresh.FD() != old.FD() || fresh.Loop() != l {
		t.Errorf("told %v of %d", e, fresh.FD())
	}
}

// TestReports: bytes, urgent ones aside, the end of the peer and that of the connection are told apart.
func TestReports(t *testing.T) {
	l := running(t, Config{})
	got := make(chan Events, 10)
	p := watch(t, l, func(e Events) bool { got <- e; return false })
	p.say(t)
	if e := await(t, got); e&Readable == 0 || e&(PeerDone|Cut) != 0 {
		t.Errorf("a byte: %v", e)
	}
	HangUp(int32(p.peer))
	if e := await(t, got); e&PeerDone == 0 || e&Cut != 0 {
		t.Errorf("the peer has ended: %v", e)
	}
	CutOff(p.FD())
	if e := await(t, got); e&Cut == 0 {
		t.Errorf("cut: %v", e)
	}
}

// TestDoorShare: a door accepts its share of a turn, and others are served before the next.
func TestDoorShare(t *testing.T) {
	l := running(t, Config{})
	ln, fd := listen(t)
	const total = 2*acceptBatch + 10
	for range total {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	var r record
	came := make(chan struct{}, total)
	d := &Door{
		Early: func(int32) { r.add("early") },
		Took: func(fd int32, peer netip.AddrPort) {
			if !peer.IsValid() {
				t.Error("no address")
			}
			r.add("took")
			Close(fd)
			came <- struct{}{}
		},
		Short:  func(err error) { t.Error(err) },
		Failed: func(err error) { t.Error(err) },
	}
	quiet := watch(t, l, func(Events) bool { r.add("quiet"); return false })
	before := l.Stats().PutOff
	on(t, l, func() {
		if err := l.Watch(fd, d); err != nil {
			t.Error(err)
		}
		d.Ready(d) // before epoll's report
		quiet.Ready(quiet)
	})
	for range total {
		await(t, came)
	}
	took := 0
	for _, s := range r.get() {
		if s == "quiet" {
			break
		}
		if s == "took" {
			took++
		}
	}
	if took > acceptBatch {
		t.Errorf("%d were accepted before anybody else was served", took)
	}
	on(t, l, func() { l.Unwatch(d) })
	if n := l.Stats().PutOff - before; n != 2 {
		t.Errorf("put off %d times, want 2", n)
	}
	if early := count(r.get(), "early"); early != total {
		t.Errorf("%d of %d that were there before got their options", early, total)
	}
}

func count(all []string, what string) (n int) {
	for _, s := range all {
		if s == what {
			n++
		}
	}
	return n
}

// TestDoorFails: a door whose descriptor is none that accepts says so.
func TestDoorFails(t *testing.T) {
	l := running(t, Config{})
	failed := make(chan error, 10)
	fd, peer := pair(t)
	d := &Door{Failed: func(err error) { failed <- err }}
	if err := l.Watch(fd, d); err != nil {
		t.Fatal(err)
	}
	_ = peer
	if err := await(t, failed); err == nil {
		t.Error("no error")
	}
}
