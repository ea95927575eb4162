package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"edgechat/moderation"
	"edgechat/names"
	"edgechat/refusal"
)

// moderate logs nothing: the Backend does, for those who moderate elsewhere, too.
func (h *handler) moderate(w http.ResponseWriter, r *http.Request) *refusal.Error {
	var act moderation.Act
	var done moderation.Done
	body, err := moderation.ReadBody(w, r)
	if err == nil {
		act, err = moderation.ReadAct(body)
	}
	if err == nil {
		done, err = h.cfg.Backend.Moderate(r.Context(), credentialsOf(r.Context()), act)
	}
	if refused, ok := errors.AsType[*refusal.Error](err); ok {
		return refused
	}
	if err != nil {
		return refusal.Errorf(refusal.Internal, "%v", err)
	}
	return answer(w, done)
}

func (h *handler) rules(w http.ResponseWriter, r *http.Request) *refusal.Error {
	room := r.URL.Query().Get("room")
	if room != "" {
		form, err := names.Room(room)
		if err != nil {
			return refusal.New(refusal.InvalidRoom, err.Error())
		}
		room = form
	}
	return answer(w, h.cfg.Backend.Rules(room))
}

// Moderate has an act done.
func (c *Client) Moderate(ctx context.Context, a moderation.Act) (done moderation.Done, err error) {
	body, err := json.Marshal(a)
	if err != nil {
		return done, fmt.Errorf("admin: %w", err)
	}
	return done, c.call(ctx, http.MethodPost, "/moderation", string(body), &done)
}

// Rules returns those in force, of one room, or with "" all.
func (c *Client) Rules(ctx context.Context, room string) (rules []moderation.Rule, err error) {
	path := "/moderation"
	if room != "" {
		path += "?room=" + url.QueryEscape(room)
	}
	return rules, c.call(ctx, http.MethodGet, path, "", &rules)
}

// WriteRules writes rules as a table for people.
func WriteRules(w io.Writer, rules []moderation.Rule) error {
	if len(rules) == 0 {
		_, err := fmt.Fprintln(w, "nobody is banned or muted, and no room has a rule")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprint(t, "RULE\tROOM\tWHO\tLEFT\tBY\tREASON\n")
	for _, r := range rules {
		room, who, left, reason := "all", cmp.Or(r.About(), "everyone"), "for ever", "-"
		if r.Room != "" {
			room = fmt.Sprintf("%q", r.Room)
		}
		if r.Kind == moderation.KindSlow {
			who = "each once in " + moderation.ShowSpan(time.Duration(r.Every)*time.Millisecond)
		}
		if r.Left > 0 {
			left = moderation.ShowSpan(time.Duration(r.Left) * time.Millisecond)
		}
		if r.Reason != "" {
			reason = r.Reason
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Kind, room, who, left, r.By, reason)
	}
	return t.Flush()
}

// WriteDone says what was done, in a line for people.
func WriteDone(w io.Writer, d moderation.Done) error {
	where := "in all rooms"
	if d.Room != "" {
		where = fmt.Sprintf("in room %q", d.Room)
	}
	who, span := d.About(), ""
	if d.For != "" {
		span = ", for " + d.For
	}
	text := map[moderation.Verb]string{
		moderation.ActKick:     "kicked " + who + " " + where,
		moderation.ActBan:      "banned " + who + " " + where + span,
		moderation.ActUnban:    who + " is not banned any more " + where,
		moderation.ActMute:     "muted " + who + " " + where + span,
		moderation.ActUnmute:   who + " is not muted any more " + where,
		moderation.ActSlow:     fmt.Sprintf("room %q takes one message of each in %s%s", d.Room, d.Every, span),
		moderation.ActReadOnly: fmt.Sprintf("room %q is read-only%s", d.Room, span),
		moderation.ActClose:    fmt.Sprintf("closed room %q%s and erased %d messages", d.Room, span, d.Deleted),
		moderation.ActOpen:     fmt.Sprintf("room %q may be entered again", d.Room),
		moderation.ActDelete:   fmt.Sprintf("deleted message %s of room %q", d.ID, d.Room),
	}[d.Act.Act]
	if d.Off {
		text = fmt.Sprintf("room %q is not %s any more", d.Room, d.Act.Act)
	}
	if d.Closed > 0 {
		text += fmt.Sprintf("; %d connections or places ended", d.Closed)
	}
	if len(d.Addresses) > 0 {
		text += ", from " + strings.Join(d.Addresses, ", ")
	}
	if d.Node != "" {
		text += "\non node " + d.Node
		if len(d.Others) > 0 {
			text += "; others follow within about a second: " + strings.Join(d.Others, ", ")
		} else {
			text += "; no other node is heard: those that are away follow when they are back"
		}
	}
	if !d.Durable {
		text += "\nwarning: the disk does not take it: it is over with the next start, unless the disk is well before that"
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
