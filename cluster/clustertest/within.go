package clustertest

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/hub/logtest"
)

// slack is for a machine that does something else. The fastest of the rounds has none of it, so that it hides nothing.
const slack = 20 * time.Second

// within is how long a thing may take, and how long it took in the fastest of its rounds.
type within struct {
	what        string
	most, slack time.Duration
	fastest     time.Duration
}

// took notes a round.
func (w *within) took(t *testing.T, took time.Duration) {
	t.Helper()
	if took > w.most+w.slack {
		t.Errorf("%s after %s", w.what, took)
	}
	if w.fastest == 0 || took < w.fastest {
		w.fastest = took
	}
}

// held says that a round was fast enough.
func (w *within) held() bool { return w.fastest > 0 && w.fastest <= w.most }

// hold is the end of all rounds.
func (w *within) hold(t *testing.T) {
	t.Helper()
	if !w.held() {
		t.Errorf("%s after %s in the fastest round, %s is most", w.what, w.fastest, w.most)
	} else {
		t.Logf("%s after %s in the fastest round", w.what, w.fastest)
	}
}

// mostRounds is how many rounds there are where one is enough on a machine that does nothing else.
const mostRounds = 3

// rounds has do called until all are held.
func rounds(t *testing.T, do func(round int), all ...*within) {
	t.Helper()
	held := func() bool {
		for _, w := range all {
			if !w.held() {
				return false
			}
		}
		return true
	}
	for round := 0; round < mostRounds && !held() && !t.Failed(); round++ {
		do(round)
	}
	for _, w := range all {
		w.hold(t)
	}
}

// Stopped: an engine that answers nothing for a while fails what is said within what a node waits for it and a call takes, and what has a key is there once when it
// goes on.
func Stopped(t *testing.T, s Machine) {
	n := Following(t, s, 1)[0]
	n.SayTaken(t, "den", "first", "k1")
	want := []string{"first"}
	failed := &within{what: "a message failed", most: nodePatience + mostCall, slack: slack - nodePatience}
	rounds(t, func(round int) {
		content := fmt.Sprint("second ", round)
		logtest.Eventually(t, "it is ready", func() bool { return n.Log().Ready() == nil })
		s.Signal(t, syscall.SIGSTOP)
		began := time.Now()
		told := make(chan codec.Receipt, 1)
		m := codec.Message{Username: "ann", Content: content, Time: 1}
		if err := n.Log().Append("den", m, content, codec.Done{Tell: func(r codec.Receipt) { told <- r }}); err == nil { // else it waits for nothing, which is no round
			if r := <-told; r.Err == nil {
				t.Errorf("%+v", r)
			}
			failed.took(t, time.Since(began))
		}
		if err := n.Log().Ready(); err == nil {
			t.Error("it is ready")
		}
		s.Signal(t, syscall.SIGCONT)
		n.SayTaken(t, "den", content, content)
		want = append(want, content)
	}, failed)
	Same(t, []*Node{n}, "den", want...)
}

// Silence: an engine's subscription that hears nothing ends, after a time and at once then. It returns with what.
func Silence(t *testing.T, s Server, after time.Duration) (err error) {
	e := s.Engine(t)
	defer e.Close()
	ended := &within{what: "a subscription that hears nothing ended", most: after + time.Second, slack: slack}
	rounds(t, func(int) {
		ctx, cancel := context.WithTimeout(t.Context(), ended.most+ended.slack)
		defer cancel()
		began := time.Now()
		err = e.Listen(ctx, func([]byte) {}) // nobody broadcasts
		took := time.Since(began)
		ended.took(t, took)
		if err == nil || ctx.Err() != nil || took < after {
			t.Errorf("after %s: %v", took, err)
		}
	}, ended)
	return err
}
