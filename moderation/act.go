package moderation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"edgechat/refusal"
)

// A Verb is what a moderator does.
type Verb string

const (
	ActKick     Verb = "kick"
	ActBan      Verb = "ban"
	ActUnban    Verb = "unban"
	ActMute     Verb = "mute"
	ActUnmute   Verb = "unmute"
	ActSlow     Verb = "slow"
	ActReadOnly Verb = "read-only"
	ActClose    Verb = "close"
	ActOpen     Verb = "open"
	ActDelete   Verb = "delete"
)

// verbs say what each takes besides a room.
var verbs = [...]struct {
	verb  Verb
	takes string // of: who for every off id; room if it has to be there
	kind  Kind   // of the rule that it makes or ends
	ends  bool
}{
	{ActKick, "who", "", false},
	{ActBan, "who for", KindBan, false}, {ActUnban, "who", KindBan, true},
	{ActMute, "who for", KindMute, false}, {ActUnmute, "who", KindMute, true},
	{ActSlow, "room for every off", KindSlow, false},
	{ActReadOnly, "room for off", KindReadOnly, false},
	{ActClose, "room for", KindClosed, false}, {ActOpen, "room", KindClosed, true},
	{ActDelete, "room id", "", false},
}

func (v Verb) place() int {
	for i := range verbs {
		if verbs[i].verb == v {
			return i
		}
	}
	return -1
}

// An Act is what a moderator asks for, as it is sent.
type Act struct {
	Act      Verb   `json:"act"`
	Room     string `json:"room,omitempty"` // "" is all of them
	Identity string `json:"identity,omitempty"`
	Name     string `json:"name,omitempty"`
	Address  string `json:"address,omitempty"` // see ParseAddress
	For      string `json:"for,omitempty"`     // see ParseSpan; "" is for ever, and of close: the room may be entered again at once
	Every    string `json:"every,omitempty"`   // of slow
	Off      bool   `json:"off,omitempty"`     // ends slow or read-only
	ID       string `json:"id,omitempty"`      // of the message to delete
	Reason   string `json:"reason,omitempty"`  // for those whom it is about
}

// About says for people whom a is about; "" if it is about nobody.
func (a *Act) About() string { return about(a.Identity, a.Name, a.Address) }

// A Done is what was done, as it is answered.
type Done struct {
	Act
	By        string   `json:"by"`
	Closed    int      `json:"closed"`              // connections and places in rooms that were ended
	Addresses []string `json:"addresses,omitempty"` // of these, some
	Deleted   int      `json:"deleted,omitempty"`   // messages
	Node      string   `json:"node,omitempty"`      // of a cluster, on which this was done
	Others    []string `json:"others,omitempty"`    // nodes that are heard and follow within about a second; those that are away do as they return
	Durable   bool     `json:"durable"`             // false: it holds in memory alone, since the disk does not take it
}

// An Order is an Act that was understood.
type Order struct {
	Act
	Subject Subject
	lasts   time.Duration // 0 is for ever
	every   time.Duration
	must    bool // what is to be ended has to be there
}

// maxReason bounds a reason, in bytes: it has to fit into a close frame, beside what else that says.
const maxReason = 80

// Parse understands a. Names are the caller's to check. The error is a *refusal.Error that says what is wrong and how to
// mend it.
func Parse(a Act) (o Order, err error) {
	i := a.Act.place()
	if i < 0 {
		return o, wrong("act is %.40q: it must be one of %s", string(a.Act), choice())
	}
	v := &verbs[i]
	takes := func(what string) bool { return slices.Contains(strings.Fields(v.takes), what) }
	given := map[string]bool{
		"who": a.Identity != "" || a.Name != "" || a.Address != "", "for": a.For != "", "every": a.Every != "", "off": a.Off, "id": a.ID != "",
	}
	for _, what := range []string{"who", "for", "every", "off", "id"} {
		if given[what] && !takes(what) {
			return o, wrong("%s takes no %s", a.Act, map[string]string{"who": "identity, name or address"}[what]+strings.TrimPrefix(what, "who"))
		}
	}
	o = Order{Act: a, must: v.ends || a.Off}
	if takes("who") {
		if o.Subject, err = a.subject(); err != nil {
			return o, err
		}
		if a.Address != "" {
			o.Address = o.Subject.Address.String()
		}
	}
	switch {
	case takes("room") && a.Room == "":
		return o, wrong("%s needs a room", a.Act)
	case takes("id") && a.ID == "":
		return o, wrong("%s needs the id of a message", a.Act)
	case takes("every") && (a.Every == "") != a.Off:
		return o, wrong("%s needs either every, such as \"10s\", or off", a.Act)
	case a.Off && a.For != "":
		return o, wrong("%s takes either off or for", a.Act)
	case len(a.Reason) > maxReason:
		return o, wrong("the reason has %d bytes: %d are what fits", len(a.Reason), maxReason)
	case !utf8.ValidString(a.Reason) || strings.ContainsFunc(a.Reason, unicode.IsControl):
		return o, wrong("the reason has characters that cannot be printed")
	}
	if a.For != "" {
		if o.lasts, err = ParseSpan(a.For); err != nil {
			return o, wrong("for: %v", err)
		}
	}
	if a.Every != "" {
		if o.every, err = ParseSpan(a.Every); err != nil || o.every < time.Second || o.every > 24*time.Hour {
			return o, wrong("every is %.40q: it must be from 1s to 1d, such as 10s", a.Every)
		}
	}
	return o, nil
}

// Lasts is how long what o makes is in force; 0 is for ever, and for a room that is closed for no time at all.
func (o *Order) Lasts() time.Duration { return o.lasts }

// MaxAct is how long an Act may be as it is sent, in bytes.
const MaxAct = 4 << 10

// ReadBody reads the body of a request that has an Act in it. The error is a *refusal.Error.
func ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxAct))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, refusal.Errorf(refusal.TooLarge, "the body is longer than %d bytes", MaxAct)
	}
	if err != nil {
		return nil, wrong("the body could not be read to its end")
	}
	return body, nil
}

// ReadAct reads an Act. A field that there is not is an error: a slip must not make a ban for all rooms of one.
func ReadAct(body []byte) (a Act, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err = d.Decode(&a); err == nil {
		if _, err = d.Token(); err == io.EOF {
			return a, nil
		}
		err = errors.New("something stands behind the object")
	}
	return a, wrong("the body must be a JSON object such as {\"act\":\"ban\",\"name\":\"Bob\",\"for\":\"1h\"}: %v", err)
}

// subject returns the one of three that there has to be.
func (a *Act) subject() (s Subject, err error) {
	var p netip.Prefix
	n := 0
	for _, text := range []string{a.Identity, a.Name, a.Address} {
		if text != "" {
			n++
		}
	}
	if n != 1 {
		return s, wrong("%s needs one of identity (the name of a token), name or address", a.Act)
	}
	if a.Address != "" {
		if p, err = ParseAddress(a.Address); err != nil {
			return s, wrong("address: %v", err)
		}
	}
	return Subject{a.Identity, a.Name, p}, nil
}

// rule returns the rule that o makes or ends; its kind is "" if there is none.
func (o *Order) rule(by string) (r Rule, ends bool) {
	v := &verbs[o.Act.Act.place()]
	if o.Act.Act == ActClose && o.For == "" {
		return r, false
	}
	r = Rule{
		Kind: v.kind, Room: o.Room, Identity: o.Identity, Name: o.Name, Address: o.Address, Every: o.every.Milliseconds(),
		Reason: o.Reason, By: by, Since: time.Now().UTC().Truncate(time.Millisecond), address: o.Subject.Address,
	}
	return r.lasting(o.lasts), v.ends || o.Off
}

func wrong(format string, args ...any) error {
	return refusal.Errorf(refusal.InvalidMessage, format, args...)
}

func choice() string {
	words := make([]string, len(verbs))
	for i := range verbs {
		words[i] = string(verbs[i].verb)
	}
	return strings.Join(words, ", ")
}

// maxSpan is the longest time but for ever: more would be a mistake.
const maxSpan = 3650 * 24 * time.Hour

// ParseSpan reads how long something lasts: "90s", "1h30m", "7d", or "ever", which is 0.
func ParseSpan(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(min(max(n, -1), 1e6)) * 24 * time.Hour
	}
	switch {
	case text == "ever":
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("%.40q is no time such as 10m, 1h30m, 7d or ever", text)
	case d < time.Second || d > maxSpan:
		return 0, fmt.Errorf("%.40q is out of range: from 1s to 3650d, or ever", text)
	}
	return d, nil
}

// ShowSpan writes d for people: rounded up to seconds, and in days if it is some.
func ShowSpan(d time.Duration) string {
	d = (d + time.Second - 1).Truncate(time.Second)
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", (d+24*time.Hour-1)/(24*time.Hour))
	}
	text := d.String()
	text = strings.TrimSuffix(text, "0s")
	if cut, ok := strings.CutSuffix(text, "h0m"); ok {
		text = cut + "h"
	}
	if d < time.Minute || d%time.Minute != 0 {
		return d.String()
	}
	return text
}
