package chat

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/hub"
)

// A heldLog reads and settles nothing before it is let.
type heldLog struct {
	hub.Log
	let  chan struct{}
	read atomic.Int32 // how many reads have been let
	full atomic.Bool  // nothing is taken
}

func (l *heldLog) Read(room string, q codec.Query) (codec.Page, error) {
	<-l.let
	defer l.read.Add(1)
	return l.Log.Read(room, q)
}

func (l *heldLog) Append(room string, m codec.Message, key string, done codec.Done) error {
	if l.full.Load() {
		return errors.New("nothing more is taken")
	}
	if inner := done.Tell; inner != nil && !done.Early {
		done.Tell = func(r codec.Receipt) { go func() { <-l.let; inner(r) }() }
	}
	return l.Log.Append(room, m, key, done)
}

// held starts a rig whose log is held until let is called, or the test ends.
func held(t *testing.T, change ...func(*setup)) (r *rig, l *heldLog, let func()) {
	l = &heldLog{let: make(chan struct{})}
	r = newRig(t, append(change, func(s *setup) { s.log = func(inner hub.Log) hub.Log { l.Log = inner; return l } })...)
	let = sync.OnceFunc(func() { close(l.let) })
	t.Cleanup(let)
	return r, l, let
}

// TestBusyHistories: of three who ask for a history while one may be read and one may wait, the third is told to
// come again. Who hangs up while he waits leaves his place, and is no error.
func TestBusyHistories(t *testing.T) {
	r, _, let := held(t, func(s *setup) { s.hub.HistoryReads, s.hub.HistoryQueue = 1, 1 })
	r.say("den", "x")
	type answer struct {
		status       int
		retry, media string
		body         string
		err          error
	}
	ask := func(ctx context.Context) (a answer) {
		req, err := http.NewRequestWithContext(ctx, "GET", r.http+"/chat/room/den/messages", nil)
		if err != nil {
			return answer{err: err}
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return answer{err: err}
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return answer{res.StatusCode, res.Header.Get("Retry-After"), res.Header.Get("Content-Type"), string(b), err}
	}
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	answers := make(chan answer, 3)
	for range cap(answers) {
		go func() { answers <- ask(ctx) }()
	}
	first := <-answers
	if code, _ := errorOf(first.body); first.status != 503 || code != "unavailable" || first.retry != "1" {
		t.Errorf("the third: %+v", first)
	}
	hangUp()
	for range cap(answers) - 1 {
		if a := <-answers; a.err == nil {
			t.Errorf("answered while nothing is read: %+v", a)
		}
	}
	eventually(t, "a place to wait is free", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		return ask(ctx).err != nil
	})
	let()
	for range 3 { // one after the other has the place
		eventually(t, "a history is read", func() bool { return ask(t.Context()).status == 200 })
	}
	if r.log.Has("request failed") {
		t.Errorf("who hung up is an error:\n%s", r.log)
	}
}
