package chat

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"edgechat/codec"
	"edgechat/hub"
	"edgechat/refusal"
	"edgechat/ws"
)

// historyPiece is how much of an answer is written at once, in bytes, or one message. ws gives each write its time, so
// that a peer which takes nothing holds one piece and no more.
const historyPiece = 32 << 10

// headerRecovered says whether nothing is missing in an answer, whatever form that has.
const headerRecovered = "Edgechat-Recovered"

// getMessages answers with a part of a room's history, which is written as it is read.
func (ctl *Controller) getMessages(w http.ResponseWriter, r *ws.Request) error {
	media := accepted(r.Header, typeJSON, typeLines, typeMsgPack, typeEvents)
	if media == typeEvents { // what has begun as history goes on live
		return ctl.stream(w, r, ctl.events)
	}
	part, err := ctl.parseWindow(r)
	if err != nil {
		return err
	}
	if part.since != nil && part.before != nil {
		return refusal.Errorf(refusal.InvalidQuery, "since and before exclude each other")
	}
	wait, err := parseWait(r.Query().Get("wait"), part)
	if err != nil {
		return err
	}
	end := time.Now().Add(wait)
	history, err := ctl.history(r, part)
	for waits := wait > 0 && r.Method != http.MethodHead; err == nil && waits && history.Count == 0 && history.Recovered; {
		head := history.Head
		history.Close()
		if waits, err = ctl.await(r, head, time.Until(end)); err != nil {
			return err
		}
		history, err = ctl.history(r, part)
	}
	if err != nil {
		return err
	}
	defer history.Close()
	begin(w.Header(), media)
	w.Header().Set(headerRecovered, strconv.FormatBool(history.Recovered))
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	body := historyBody{w: w, media: media}
	if media == typeLines && !history.Recovered { // a pipe sees no header
		body.buf = append(codec.AppendGap(nil, &codec.Gap{Since: part.since, Oldest: history.Oldest}), '\n')
	}
	err = body.write(history.History, &codec.Page{Room: roomOf(r), Head: history.Head, Oldest: history.Oldest, Recovered: history.Recovered})
	if err != nil {
		if !body.sent {
			return err
		}
		if r.Context().Err() == nil && !body.gone {
			ctl.cfg.Logger.Error("history failed", "room", roomOf(r), "err", err)
		}
		// A body that is cut must not pass for a whole one.
		panic(http.ErrAbortHandler)
	}
	return nil
}

// A history is one of the hub, with its place among those of its address.
type history struct {
	*hub.History
	leave func()
}

func (h *history) Close() {
	h.History.Close()
	h.leave()
}

// history reads what part says. It is to be closed.
func (ctl *Controller) history(r *ws.Request, part window) (*history, error) {
	l := ctl.limits
	if !l.histories.Enter(r.Source()) {
		l.counts.histories.Add(1)
		return nil, refusal.Errorf(refusal.RateLimited, "%d histories are being read for this address: try again once one has ended", l.Histories).After(time.Second)
	}
	leave := func() { l.histories.Leave(r.Source()) }
	h, err := ctl.cfg.Hub.History(r.Context(), roomOf(r), codec.Query{After: part.since, Before: part.before, Limit: part.limit, Newest: true})
	if err == nil {
		return &history{h, leave}, nil
	}
	leave()
	switch {
	case errors.Is(err, hub.ErrBusy):
		return nil, refusal.New(refusal.Unavailable, "many histories are being read: try again soon").With("Retry-After", "1")
	case r.Context().Err() != nil: // the client has gone, and needs no answer
		panic(http.ErrAbortHandler)
	}
	return nil, err
}

// A historyBody writes messages in one of the three forms.
type historyBody struct {
	w     http.ResponseWriter
	media string
	buf   []byte
	sent  bool // some of it is
	gone  bool // the client has, or takes nothing
}

// write writes all of history, of which page has all but the messages.
func (b *historyBody) write(history *hub.History, page *codec.Page) error {
	format := codec.JSON
	if b.media == typeMsgPack {
		format = codec.MsgPack
	}
	if b.media != typeLines {
		b.buf = codec.AppendPageHead(b.buf, format, page, history.Count)
	}
	first := true
	for messages, err := range history.Pieces() {
		if err != nil {
			return err
		}
		for i := range messages {
			if b.media == typeLines {
				b.buf = append(codec.AppendMessage(b.buf, codec.JSON, &messages[i]), '\n')
			} else {
				b.buf = codec.AppendPageMessages(b.buf, format, first, messages[i:i+1])
			}
			first = false
			if len(b.buf) < historyPiece {
				continue
			}
			if err := b.flush(); err != nil {
				return err
			}
		}
	}
	if b.media != typeLines {
		b.buf = codec.AppendPageTail(b.buf, format)
	}
	if b.media == typeJSON {
		b.buf = append(b.buf, '\n')
	}
	return b.flush()
}

func (b *historyBody) flush() error {
	b.sent = true
	_, err := b.w.Write(b.buf)
	b.gone, b.buf = err != nil, b.buf[:0]
	return err
}
