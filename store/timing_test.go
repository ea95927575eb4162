package store

import (
	"testing"
	"testing/synctest"
	"time"

	"edgechat/codec"
)

// TestTiming looks at when commits happen, on a clock that waits for none of
// them.
func TestTiming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Config{CommitBytes: 10_000})
		begin, commits := time.Now(), s.Stats().Commits
		expect := func(what string, since time.Duration, n uint64) {
			t.Helper()
			synctest.Wait()
			if got := s.Stats().Commits - commits; got != n {
				t.Errorf("%s, %s after the beginning: %d commits, want %d", what, time.Since(begin), got, n)
			}
			if got := time.Since(begin); got != since {
				t.Errorf("%s: %s after the beginning, want %s", what, got, since)
			}
		}
		restart := func() { begin, commits = time.Now(), s.Stats().Commits }
		ack := func() chan time.Time {
			told := make(chan time.Time, 1)
			if _, err := s.appended("den", codec.Message{Content: "x"}, "", func(codec.Receipt) { told <- time.Now() }); err != nil {
				t.Fatal(err)
			}
			return told
		}

		time.Sleep(24 * time.Hour)
		expect("nothing is said", 24*time.Hour, 0)

		restart()
		say(t, s, "den", "x")
		time.Sleep(600 * time.Millisecond)
		say(t, s, "den", "y") // the first counts
		time.Sleep(399 * time.Millisecond)
		expect("nobody waits", 999*time.Millisecond, 0)
		time.Sleep(time.Millisecond)
		expect("SyncInterval is over", time.Second, 1)
		time.Sleep(time.Hour)
		expect("nothing more is said", time.Hour+time.Second, 1)

		restart()
		ack()
		expect("somebody waits, long after the last commit", 0, 1)
		time.Sleep(30 * time.Millisecond)
		first, second := ack(), ack()
		say(t, s, "den", "z")
		expect("AckDelay is not over", 30*time.Millisecond, 1)
		time.Sleep(69 * time.Millisecond)
		expect("AckDelay is not over", 99*time.Millisecond, 1)
		time.Sleep(time.Millisecond)
		expect("AckDelay is over: one commit for both", 100*time.Millisecond, 2)
		want(t, "first receipt", (<-first).Sub(begin), 100*time.Millisecond)
		want(t, "second receipt", (<-second).Sub(begin), 100*time.Millisecond)
		want(t, "pending", s.Stats().Pending, 0)

		restart()
		say(t, s, "den", "x") // waits for SyncInterval, but no longer once somebody waits
		time.Sleep(200 * time.Millisecond)
		ack()
		expect("somebody waits for a later message", 200*time.Millisecond, 1)
		want(t, "pending", s.Stats().Pending, 0)

		restart()
		sayAll(t, s, "den", 200)
		expect("CommitBytes are pending", 0, 1)
	})
}

// TestBackOff looks at when a degraded store tries again.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		s := open(t, Config{aroundCommit: g.around})
		g.fail(errFull)
		want(t, "durable", sayStored(t, s, "den", "x", "").Durable, false)
		begin := time.Now()
		for _, at := range []int{0, 1, 3, 7, 15, 31, 61, 91} { // seconds; doubles up to 30
			time.Sleep(time.Duration(at)*time.Second - time.Since(begin))
			synctest.Wait()
			n := g.failed()
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if at > 0 && g.failed() != n || n == 0 {
				t.Errorf("after %d s: %d attempts, then %d", at, n, g.failed())
			}
		}
		want(t, "attempts", g.failed(), 8)
		g.fail(nil)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if err := s.Ready(); err != nil {
			t.Error(err)
		}
		want(t, "durable", sayStored(t, s, "den", "y", "").Durable, true)
		want(t, "pending", s.Stats().Pending, 0)
	})
}
