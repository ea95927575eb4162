package chat

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/http"
	"time"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/refusal"
	"edgechat/ws"
)

// Who has said something may change it: whoever has the same token, or, without tokens, the same connection, or any that
// shows the author key with which it was sent. Messages keep a hash of that (codec.AuthorOf).

// authors are as whom a connection speaks.
type authors struct {
	own   uint64 // its token's, or its alone; 0 until it is needed
	shown uint64 // that of the author key that it showed last
}

// identityAuthor is the author of what the owner of a token says, 0 for nobody in particular.
func identityAuthor(id *auth.Identity) uint64 {
	if id.Anonymous {
		return 0
	}
	return codec.AuthorOf(id.Owner())
}

func keyAuthor(authorKey string) uint64 { return codec.AuthorOf("k\x00" + authorKey) }

// author returns the author of what is said with this author key, which may be "".
func (c *client) author(authorKey string) uint64 {
	a := &c.authors
	if a.own == 0 {
		if a.own = identityAuthor(c.identity); a.own == 0 {
			var b [8]byte
			rand.Read(b[:]) // never fails
			a.own = binary.NativeEndian.Uint64(b[:]) | 1
		}
	}
	if authorKey == "" || !c.identity.Anonymous {
		return a.own
	}
	a.shown = keyAuthor(authorKey)
	return a.shown
}

// say gives a message, an edit or a deletion to the room.
func (c *client) say(m *hub.Member, msg codec.Client, key string, done codec.Done) error {
	author := c.author(msg.AuthorKey)
	claim := codec.Claim{Authors: [2]uint64{c.authors.own, c.authors.shown}}
	switch msg.Type {
	case codec.TypeEdit:
		return m.Revise(codec.Message{Kind: codec.Edit, Target: msg.Target, Content: msg.Content}, claim, key, done)
	case codec.TypeDelete:
		claim.All = c.identity.May(auth.Moderate, m.Room())
		return m.Revise(codec.Message{Kind: codec.Deletion, Target: msg.Target}, claim, key, done)
	}
	return m.Publish(msg.Content, author, key, done)
}

// notRevised answers a revision that the Log did not take, nil if err says something else.
func notRevised(id *auth.Identity, err error) *refusal.Error {
	switch {
	case errors.Is(err, codec.ErrNoTarget):
		return refusal.New(refusal.NotFound, "there is no such message: it was deleted, or is too old to be changed, or was never said here")
	case errors.Is(err, codec.ErrNotAuthor) && id.Anonymous:
		return refusal.New(refusal.Forbidden, "the message is not yours: send the author_key that it was sent with")
	case errors.Is(err, codec.ErrNotAuthor):
		return refusal.Errorf(refusal.Forbidden, "the message is not that of %s", id.Name)
	}
	return nil
}

// authorOf returns the author of what a request says, 0 if nobody can show later that it is his.
func authorOf(r *ws.Request) (uint64, error) {
	if len(r.Header["Author-Key"]) > 1 {
		return 0, refusal.New(refusal.InvalidMessage, "Author-Key is there more than once: send it once")
	}
	authorKey := r.Header.Get("Author-Key")
	if authorKey != "" {
		if err := codec.CheckAuthorKey(authorKey); err != nil {
			return 0, err
		}
	}
	if author := identityAuthor(identityOf(r)); author != 0 || authorKey == "" {
		return author, nil
	}
	return keyAuthor(authorKey), nil
}

// patchMessage changes the content of a message.
func (ctl *Controller) patchMessage(w http.ResponseWriter, r *ws.Request) error {
	post, err := ctl.readPost(w, r)
	if err != nil {
		return err
	}
	return ctl.revise(w, r, post.Username, codec.Message{Kind: codec.Edit, Content: post.Content})
}

// deleteMessage deletes one.
func (ctl *Controller) deleteMessage(w http.ResponseWriter, r *ws.Request) error {
	if over := ctl.limits.post(r.Source(), 0); over != nil {
		return over.answer()
	}
	return ctl.revise(w, r, r.Query().Get("username"), codec.Message{Kind: codec.Deletion})
}

// revise changes the message of the path, and answers with the revision once it is on disk.
func (ctl *Controller) revise(w http.ResponseWriter, r *ws.Request, wanted string, m codec.Message) error {
	id, room := identityOf(r), roomOf(r)
	name, err := username(id, wanted)
	if err != nil {
		return err
	}
	if err := ctl.checkWrite(r, name, false); err != nil {
		return err
	}
	target, err := parseCursor("id", r.Param("id"))
	if err != nil {
		return err
	}
	key, err := scopedKey(r, wanted, name, m.Content)
	if err != nil {
		return err
	}
	author, err := authorOf(r)
	if err != nil {
		return err
	}
	claim := codec.Claim{Authors: [2]uint64{author}, All: m.Kind == codec.Deletion && id.May(auth.Moderate, room)}
	m.Username, m.Verified, m.Target, m.Time = name, !id.Anonymous, *target, time.Now().UnixMilli()
	settled := make(chan codec.Receipt, 1)
	if err := ctl.cfg.Hub.Revise(room, m, claim, key, tellTo(settled)); err != nil {
		return ctl.notPublished(id, name, err)
	}
	return ctl.answerSettled(w, r, m, key, settled, http.StatusOK)
}
