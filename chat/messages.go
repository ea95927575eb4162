package chat

import (
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/refusal"
	"edgechat/ws"
)

// postMessage publishes one message and answers once it is on disk.
func (ctl *Controller) postMessage(w http.ResponseWriter, r *ws.Request) error {
	post, err := ctl.readPost(w, r)
	if err != nil {
		return err
	}
	id := identityOf(r)
	name, err := username(id, post.Username)
	if err != nil {
		return err
	}
	key, err := scopedKey(r, post.Username, name, post.Content)
	if err != nil {
		return err
	}
	if over := ctl.limits.newRoom(r.Source(), ctl.known(roomOf(r))); over != nil {
		return over.answer()
	}
	author, err := authorOf(r)
	if err != nil {
		return err
	}
	if err := ctl.checkWrite(r, name, true); err != nil {
		return err
	}
	m := codec.Message{Username: name, Verified: !id.Anonymous, Content: post.Content, Time: time.Now().UnixMilli(), Author: author}
	settled := make(chan codec.Receipt, 1)
	if err := ctl.cfg.Hub.Publish(roomOf(r), m, key, tellTo(settled)); err != nil {
		return ctl.notPublished(id, name, err)
	}
	return ctl.answerSettled(w, r, m, key, settled, http.StatusCreated)
}

// tellTo has a receipt sent to settled, which takes it at once.
func tellTo(settled chan<- codec.Receipt) codec.Done {
	return codec.Done{Tell: func(receipt codec.Receipt) { settled <- receipt }}
}

// notPublished answers a request whose message the Log did not take.
func (ctl *Controller) notPublished(id *auth.Identity, username string, err error) error {
	if problem := notRevised(id, err); problem != nil {
		return problem
	}
	return ctl.notTaken(username, err).With("Retry-After", "5")
}

// answerSettled answers with what was said, once it is on disk.
func (ctl *Controller) answerSettled(w http.ResponseWriter, r *ws.Request, m codec.Message, key string, settled <-chan codec.Receipt, status int) error {
	var receipt codec.Receipt
	select {
	case receipt = <-settled:
	case <-r.Context().Done(): // the client has gone; the message stays
		return nil
	}
	if receipt.Err != nil {
		return ctl.notPublished(identityOf(r), m.Username, receipt.Err)
	}
	m.ID = receipt.ID
	if key != "" {
		m = ctl.original(roomOf(r), m)
	}
	if !receipt.Durable { // the store is degraded: taken, but in memory alone
		status = http.StatusAccepted
	}
	if accepted(r.Header, typeJSON, typeMsgPack) == typeMsgPack {
		return answer(w, status, typeMsgPack, codec.AppendMessage(nil, codec.MsgPack, &m))
	}
	return answer(w, status, typeJSON, append(codec.AppendMessage(nil, codec.JSON, &m), '\n'))
}

// notTaken answers a message that the Log did not take.
func (ctl *Controller) notTaken(username string, err error) *refusal.Error {
	if !errors.Is(err, codec.ErrUnavailable) { // else the Log has said it, once
		ctl.cfg.Logger.Error("publish failed", "user", username, "err", err)
	}
	return refusal.New(refusal.Unavailable, "the message could not be taken: send it again")
}

// original returns the message that has m's ID: m itself, or what was sent
// before with the same key.
func (ctl *Controller) original(room string, m codec.Message) codec.Message {
	before := codec.ID{Epoch: m.ID.Epoch, Offset: m.ID.Offset - 1}
	page, err := ctl.cfg.Log.Read(room, codec.Query{After: &before, Limit: 1})
	if err == nil && len(page.Messages) == 1 && page.Messages[0].ID.Offset == m.ID.Offset {
		return page.Messages[0]
	}
	return m // it left the buffer in this moment
}

// scopedKey returns the key of a request, "" if it has none. Who sends it speaks under name, and asked for the name wanted.
func scopedKey(r *ws.Request, wanted, name, content string) (string, error) {
	if len(r.Header["Idempotency-Key"]) > 1 {
		return "", refusal.New(refusal.InvalidMessage, "Idempotency-Key is there more than once: send it once")
	}
	given := idempotencyKey(r.Header)
	if given == "" {
		return "", nil
	}
	if err := codec.CheckKey(given); err != nil {
		return "", err
	}
	if identityOf(r).Anonymous && wanted == "" { // two of these could not be told apart, and one would get what the other has sent
		return "", refusal.New(refusal.InvalidMessage, "an Idempotency-Key needs a name: send a username of your own, or a token")
	}
	return keyScope(identityOf(r), name, given, content), nil
}

// idempotencyKey returns the header, with or without the quotes of its draft (a
// structured field's string).
func idempotencyKey(h http.Header) string {
	key := h.Get("Idempotency-Key")
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		return key[1 : n-1]
	}
	return key
}

// accepted returns the first of the Accept header's types that is offered, or
// the first offer.
func accepted(h http.Header, offers ...string) string {
	for _, line := range h.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			media, _, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			for _, offer := range offers {
				if mediaType(media) == offer {
					return offer
				}
			}
		}
	}
	return offers[0]
}

// answer writes a whole body. The error is that of a client that has gone,
// which is nobody's to hear.
func answer(w http.ResponseWriter, status int, media string, body []byte) error {
	begin(w.Header(), media)
	w.WriteHeader(status)
	_, _ = w.Write(body)
	return nil
}

// begin says what follows.
func begin(h http.Header, media string) {
	if media == typeJSON {
		media += "; charset=utf-8"
	}
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}
