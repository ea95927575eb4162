package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/moderation"
	"edgechat/refusal"
	"edgechat/ws"
)

// maxAddresses is how many an answer names.
const maxAddresses = 16

// A Moderator is who acts.
type Moderator struct {
	By   string // as rules and the log have it
	Name string // that everyone sees whose messages he deletes
	// Verified says that Name is that of a token.
	Verified bool
}

// Moderate does what act says and returns once that is on disk, or cannot be: see Done.Durable. The error is a
// *refusal.Error that says why nothing was done, or not all of it.
func (ctl *Controller) Moderate(ctx context.Context, by Moderator, act moderation.Act) (moderation.Done, error) {
	done, err := ctl.moderate(ctx, by, act)
	if err != nil {
		ctl.cfg.Logger.Info("moderation refused", append(described(by, act), "err", err)...)
		return done, err
	}
	ctl.rules.Count(act.Act)
	ctl.cfg.Logger.Info("moderation", append(described(by, done.Act), "closed", done.Closed, "deleted", done.Deleted, "durable", done.Durable)...)
	return done, nil
}

// described are the attributes of an act in the log.
func described(by Moderator, act moderation.Act) []any {
	list := []any{"act", string(act.Act), "by", by.By}
	for _, x := range [][2]string{
		{"room", act.Room}, {"identity", act.Identity}, {"name", act.Name}, {"address", act.Address},
		{"id", act.ID}, {"for", act.For}, {"every", act.Every}, {"reason", act.Reason},
	} {
		if x[1] != "" {
			list = append(list, x[0], x[1])
		}
	}
	if act.Off {
		list = append(list, "off", true)
	}
	return list
}

func (ctl *Controller) moderate(ctx context.Context, by Moderator, act moderation.Act) (done moderation.Done, err error) {
	if act.Room != "" {
		if act.Room, err = codec.CleanRoom(act.Room); err != nil {
			return done, err
		}
	}
	for _, name := range []*string{&act.Identity, &act.Name} {
		if *name != "" {
			if *name, err = codec.CleanUsername(*name); err != nil {
				return done, err
			}
		}
	}
	order, err := moderation.Parse(act)
	if err != nil {
		return done, err
	}
	done = moderation.Done{Act: order.Act, By: by.By}
	if act.Act == moderation.ActDelete {
		done.Deleted, done.Durable = 1, false
		done.Durable, err = ctl.deleteFor(ctx, by, order)
		return done, err
	}
	done.Durable, err = ctl.rules.Do(by.By, order, func() { ctl.expel(order, &done) })
	if nodes := ctl.cfg.Nodes; nodes != nil && err == nil {
		done.Node, done.Others = nodes()
	}
	if err == nil && act.Act == moderation.ActClose {
		var durable bool
		done.Deleted, durable, err = ctl.erase(ctx, by, act.Room)
		done.Durable = done.Durable && durable
	}
	return done, err
}

// expel ends what a rule that is in force now would not let in.
func (ctl *Controller) expel(o moderation.Order, done *moderation.Done) {
	var no *moderation.Refusal
	about := o.Subject.Is
	switch o.Act.Act {
	case moderation.ActKick:
		no = moderation.Kicking(o.Room, o.Reason)
	case moderation.ActBan:
		no = moderation.Banning(o.Room, o.Reason, o.Lasts())
	case moderation.ActClose:
		no = moderation.Closing(o.Reason, o.Lasts())
		about = func(moderation.Who) bool { return true }
	default:
		return
	}
	for _, x := range ctl.putOut(o.Room, no, about) {
		done.Closed++
		if ip := x.who("").Address; ip.IsValid() && len(done.Addresses) < maxAddresses && !slices.Contains(done.Addresses, ip.String()) {
			done.Addresses = append(done.Addresses, ip.String())
		}
	}
}

// putOut ends what a rule of room is about, and returns it.
func (ctl *Controller) putOut(room string, no *moderation.Refusal, about func(moderation.Who) bool) []occupant {
	found := ctl.here.find(room, about)
	for _, x := range found {
		x.expel(no)
	}
	return found
}

// obey ends what a rule does not let in that another node has made, and that is in force here now.
func (ctl *Controller) obey(rule moderation.Rule) {
	no, about := rule.Ends()
	if no == nil {
		return
	}
	if closed := len(ctl.putOut(rule.Room, no, about)); closed > 0 {
		ctl.cfg.Logger.Info("moderation of another node", "rule", string(rule.Kind), "by", rule.By, "room", rule.Room, "about", rule.About(), "closed", closed)
	}
}

// deleteFor deletes one message.
func (ctl *Controller) deleteFor(ctx context.Context, by Moderator, o moderation.Order) (durable bool, err error) {
	target, err := parseCursor("id", o.ID)
	if err != nil {
		return false, err
	}
	settled := make(chan codec.Receipt, 1)
	m := codec.Message{Kind: codec.Deletion, Username: by.Name, Verified: by.Verified, Target: *target, Time: time.Now().UnixMilli()}
	err = ctl.cfg.Hub.Revise(o.Room, m, codec.Claim{All: true}, "", tellTo(settled))
	if err == nil {
		_, durable, err = wait(ctx, settled, 1)
	}
	switch e := notRevised(nobody, err); {
	case err == nil:
		return durable, nil
	case e != nil:
		return false, e
	case ctx.Err() != nil:
		return false, err
	}
	return false, ctl.notTaken(by.Name, err)
}

// nobody is who a message never belongs to.
var nobody = &auth.Identity{}

// wait returns when n messages are settled, how many of them were taken, and the last reason why one was not.
func wait(ctx context.Context, settled <-chan codec.Receipt, n int) (taken int, durable bool, err error) {
	durable = true
	for range n {
		select {
		case r := <-settled:
			if r.Err != nil {
				durable, err = false, r.Err
				continue
			}
			taken++
			durable = durable && r.Durable
		case <-ctx.Done():
			return taken, false, refusal.New(refusal.Unavailable, "the server stops, or whoever asked has gone")
		}
	}
	return taken, durable, err
}

// erasePage is how many messages of a room that is closed are deleted at once.
const erasePage = 256

// erase deletes all that was said in a room until now, the oldest first: so nothing is displaced by that before it was
// deleted, and its bytes leave the disk as those of any deletion do.
func (ctl *Controller) erase(ctx context.Context, by Moderator, room string) (deleted int, durable bool, err error) {
	head, durable := ctl.cfg.Log.Head(room), true
	var after *codec.ID
	for {
		page, err := ctl.cfg.Log.Read(room, codec.Query{After: after, Limit: erasePage})
		if err == nil && page.Unread {
			err = errors.New("the disk does not give what there is to delete")
		}
		if err != nil {
			return deleted, false, ctl.notErased(room, err)
		}
		settled := make(chan codec.Receipt, erasePage)
		n := 0
		for i := range page.Messages {
			m := &page.Messages[i]
			if after = &m.ID; m.ID.Offset > head.Offset {
				break
			}
			target := m.ID
			switch {
			case m.Deleted, m.Kind == codec.Deletion:
				continue
			case m.Kind == codec.Edit: // of a message that left the buffer before it: others are no more by now
				target = m.Target
			}
			x := codec.Message{Kind: codec.Deletion, Username: by.Name, Verified: by.Verified, Target: target, Time: time.Now().UnixMilli()}
			err := ctl.cfg.Log.Revise(room, x, codec.Claim{All: true}, "", tellTo(settled))
			switch {
			case err == nil:
				n++
			case !errors.Is(err, codec.ErrNoTarget):
				return deleted + n, false, ctl.notErased(room, err)
			}
		}
		taken, d, err := wait(ctx, settled, n)
		if deleted += taken; err != nil && ctx.Err() != nil {
			return deleted, false, err
		} else if err != nil && !errors.Is(err, codec.ErrNoTarget) {
			return deleted, false, ctl.notErased(room, err)
		}
		if durable = durable && d; len(page.Messages) == 0 || after.Offset >= head.Offset {
			return deleted, durable, nil
		}
	}
}

func (ctl *Controller) notErased(room string, err error) error {
	ctl.cfg.Logger.Error("history not erased", "room", room, "err", err)
	return refusal.New(refusal.Unavailable, "everyone is out, but not all of the history could be erased: close the room again")
}

// requireAll is require for all rooms.
func (ctl *Controller) requireAll(access auth.Access) ws.Guard {
	return func(r *ws.Request) error {
		if err := ctl.identify(r); err != nil {
			return err
		}
		if id := identityOf(r); !id.MayAll(access) {
			if id.Anonymous {
				return challenge(`Bearer realm="edgechat"`, denied(id, access, ""))
			}
			return refusal.Errorf(refusal.Forbidden, "%s may not %s in all rooms: name one, at /chat/room/NAME/moderation", id.Name, access)
		}
		return nil
	}
}

// postAct does what a moderator asks for, in the room of the path or in all.
func (ctl *Controller) postAct(w http.ResponseWriter, r *ws.Request) error {
	body, err := moderation.ReadBody(w, r.Request)
	if err != nil {
		return err
	}
	if over := ctl.limits.post(r.Source(), len(body)); over != nil {
		return over.answer()
	}
	act, err := moderation.ReadAct(body)
	if err != nil {
		return err
	}
	if room := roomOf(r); act.Room == "" {
		act.Room = room
	} else if room != "" && act.Room != room {
		return refusal.Errorf(refusal.InvalidMessage, "room is %q, and the path names %q", act.Room, room)
	}
	name := identityOf(r).Name
	done, err := ctl.Moderate(r.Context(), Moderator{By: "token " + name, Name: name, Verified: true}, act)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !done.Durable {
		status = http.StatusAccepted
	}
	return answerJSON(w, status, done)
}

// getRules lists the rules in force, of the room of the path or all.
func (ctl *Controller) getRules(w http.ResponseWriter, r *ws.Request) error {
	return answerJSON(w, http.StatusOK, map[string]any{"rules": ctl.rules.List(roomOf(r))})
}

func answerJSON(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	return answer(w, status, typeJSON, b.Bytes())
}

// Rules returns those in force, of one room, or with "" all.
func (ctl *Controller) Rules(room string) []moderation.Rule { return ctl.rules.List(room) }
