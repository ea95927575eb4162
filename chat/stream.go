package chat

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/limit"
	"edgechat/moderation"
	"edgechat/refusal"
	"edgechat/ws"
)

// A stream is a client that only reads, over plain HTTP: as an event stream, or as lines. It is a member of its room as a
// session is, quiet unless it asks to be announced.
type stream struct {
	ctl      *Controller
	feed     *ws.Feed
	form     *streamForm
	identity *auth.Identity
	source   limit.Addr
	low      uint64
	at       int32 // among the occupants
	member   *hub.Member
}

// typeEvents is the media type of an event stream.
const typeEvents = "text/event-stream"

// A streamForm is one of the two forms of a stream.
type streamForm struct {
	*ws.FeedForm
	hub    int // its format, in Formats
	events bool
}

// append appends a frame of the form, which put appends. An id that is not zero is where to go on from behind it.
func (x *streamForm) append(dst []byte, typ codec.Type, id codec.ID, put func(dst []byte) []byte) []byte {
	if !x.events {
		return append(put(dst), '\n')
	}
	return append(put(codec.BeginEvent(dst, typ, id)), codec.EventEnd...)
}

// How long who is to come back is to wait, at random between the two: all of a room that come back at once are the
// heaviest load that a board sees.
var (
	backSoon  = [2]time.Duration{time.Second, 4 * time.Second}       // when a connection was cut, or its reader is behind
	backLater = [2]time.Duration{time.Second, 15 * time.Second}      // when the server restarts
	backLate  = [2]time.Duration{30 * time.Second, 60 * time.Second} // when a moderator wants it
)

func jitter(between [2]time.Duration) int64 {
	return (between[0] + rand.N(between[1]-between[0])).Milliseconds()
}

// newStreamForms returns both forms.
func newStreamForms(rt *ws.Router) (events, lines *streamForm) {
	events, lines = &streamForm{hub: formatEvents, events: true}, &streamForm{hub: formatLines}
	events.FeedForm = rt.Form(&ws.FeedForm{ContentType: typeEvents, End: codec.EventEnd, Ping: codec.EventPing, Close: events.close, Comeback: true})
	lines.FeedForm = rt.Form(&ws.FeedForm{ContentType: typeLines, End: "\n", Ping: codec.LinePing, Close: lines.close})
	return events, lines
}

// close is the last of a stream.
func (x *streamForm) close(code uint16, reason string) []byte {
	back := backSoon
	switch code {
	case refusal.CloseServiceRestart, refusal.CloseGoingAway:
		back = backLater
	case refusal.ClosePolicyViolation:
		back = backLate
	}
	end := codec.Close{Code: code, Reason: reason, RetryAfter: jitter(back)}
	var dst []byte
	if x.events {
		dst = codec.AppendRetry(dst, end.RetryAfter)
	}
	return x.append(dst, codec.TypeClose, codec.ID{}, func(dst []byte) []byte { return codec.AppendClose(dst, &end) })
}

// getEvents answers with a stream.
func (ctl *Controller) getEvents(w http.ResponseWriter, r *ws.Request) error {
	form := ctl.events
	if accepted(r.Header, typeEvents, typeLines) == typeLines {
		form = ctl.lines
	}
	return ctl.stream(w, r, form)
}

// stream joins the room, and answers with what comes of it: subscribed, then the replay, then live.
func (ctl *Controller) stream(w http.ResponseWriter, r *ws.Request, form *streamForm) error {
	q := r.Query()
	name, err := username(identityOf(r), q.Get("username"))
	if err != nil {
		return err
	}
	part, err := ctl.parseWindow(r)
	if err != nil {
		return err
	}
	if part.before != nil {
		return refusal.Errorf(refusal.InvalidQuery, "before pages back through GET .../messages, not here")
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" { // who comes back, to the address of the first time
		if part.since, err = parseCursor("Last-Event-ID", id); err != nil {
			return err
		}
		part.asked = true
	}
	quiet := true
	if announce := q.Get("announce"); announce != "" {
		if quiet, err = parseQuiet(announce); err != nil {
			return err
		}
	}
	if r.Method != http.MethodHead {
		if err := ctl.checkRates(r); err != nil {
			return err
		}
	}
	s := &stream{ctl: ctl, form: form, identity: identityOf(r), source: r.Source(), low: limit.Low(r.Client()), at: gone}
	room := roomOf(r)
	return ctl.router.Feed(w, r, form.FeedForm, func(f *ws.Feed) error {
		s.feed = f
		join := hub.Join{Username: name, Verified: !s.identity.Anonymous, Format: form.hub, Quiet: quiet, Replay: part.asked, Since: part.since, Limit: part.limit}
		s.member = ctl.cfg.Hub.Join(room, f, join, func(joined hub.Joined, err error) { s.ready(room, name, join, joined, err) })
		f.Attach(s.member)
		s.enter()
		return nil
	}, s.closed)
}

// ready is called by the hub, from any goroutine.
func (s *stream) ready(room, name string, join hub.Join, joined hub.Joined, err error) {
	switch {
	case errors.Is(err, hub.ErrFull): // since it was let in
		s.feed.Close(refusal.CloseTryAgainLater, string(refusal.RoomFull)+": the room has as many members as it may have")
		return
	case err != nil:
		s.ctl.cfg.Logger.Error("join failed", "room", room, "user", name, "err", err)
		s.feed.Close(refusal.CloseTryAgainLater, "the history could not be read: come back")
		return
	}
	var dst []byte
	if s.form.events {
		dst = codec.AppendRetry(dst, jitter(backSoon))
	}
	var from codec.ID // where to go on from if nothing else comes: not before a replay, of which some might never come
	if !join.Replay || joined.Oldest.Offset == 0 {
		from = joined.Head
	}
	recovering := join.Since != nil
	access, refused := s.ctl.standing(s.identity, whoIs(s.identity, name, room, s.source, s.low), room)
	dst = s.form.append(dst, codec.TypeSubscribed, from, func(dst []byte) []byte {
		return codec.AppendSubscribed(dst, codec.JSON, &codec.Subscribed{
			Room: room, Head: joined.Head, Oldest: joined.Oldest, WasRecovering: recovering, Recovered: recovering && joined.Recovered,
			Username: name, Verified: join.Verified, Access: access, Refused: refused, Members: joined.Members,
			MaxContent: s.ctl.cfg.MaxContent, PingInterval: int(s.ctl.ping.Milliseconds()), Nodes: s.ctl.cfg.Elsewhere(),
		})
	})
	if join.Replay && !joined.Recovered {
		dst = s.form.append(dst, codec.TypeGap, codec.ID{}, func(dst []byte) []byte {
			return codec.AppendGap(dst, &codec.Gap{Since: join.Since, Oldest: joined.Oldest})
		})
	}
	_ = s.feed.Send(dst) // one that is closing takes no more
}

// enter registers it as client.enter does.
func (s *stream) enter() {
	s.ctl.here.add(s)
	if no := s.ctl.unwanted(s); no != nil {
		s.expel(no)
	}
}

func (s *stream) closed() {
	s.ctl.here.remove(s)
	if s.member != nil { // it was opened
		s.member.Leave()
	}
}

func (s *stream) place() *int32 { return &s.at }

func (s *stream) who(room string) moderation.Who {
	return whoIs(s.identity, s.member.Username(), room, s.source, s.low)
}
func (s *stream) in() string             { return s.member.Room() }
func (s *stream) connection() bool       { return true }
func (s *stream) bearer() *auth.Identity { return s.identity }

func (s *stream) expel(no *moderation.Refusal) {
	s.ctl.here.remove(s)
	s.feed.Close(refusal.ClosePolicyViolation, no.Close())
}
