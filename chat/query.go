package chat

import (
	"errors"
	"strconv"
	"time"

	"edgechat/codec"
	"edgechat/refusal"
	"edgechat/ws"
)

// A window is the part of a room's history that a query asks for.
type window struct {
	asked  bool      // "since" is there
	since  *codec.ID // nil for codec.All
	before *codec.ID
	limit  int
}

// parseWindow reads "since", "before" and "limit".
func (ctl *Controller) parseWindow(r *ws.Request) (w window, err error) {
	q := r.Query()
	if w.limit, err = ctl.parseLimit(q.Get("limit")); err != nil {
		return w, err
	}
	if s := q.Get("since"); s != "" {
		w.asked = true
		if s != codec.All {
			if w.since, err = parseCursor("since", s); err != nil {
				return w, err
			}
		}
	}
	if s := q.Get("before"); s != "" {
		w.before, err = parseCursor("before", s)
	}
	return w, err
}

func parseCursor(name, s string) (*codec.ID, error) {
	id, err := codec.ParseID(s)
	if e, ok := errors.AsType[*refusal.Error](err); ok {
		hint := ""
		if name == "since" {
			hint = `; "` + codec.All + `" asks for all that is there`
		}
		return nil, refusal.Errorf(e.Code, "%s: %s%s", name, e.Message, hint)
	}
	return &id, err
}

// parseLimit returns how many messages are wanted: the setting's number unless
// fewer are asked for.
func (ctl *Controller) parseLimit(s string) (int, error) {
	if s == "" {
		return ctl.cfg.ReplayLimit, nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || n == 0 {
		return 0, refusal.Errorf(refusal.InvalidQuery, "limit is %.40q, must be a whole number from 1", s)
	}
	return min(int(n), ctl.cfg.ReplayLimit), nil
}

// maxWait bounds "wait".
const maxWait = time.Minute

// parseWait reads "wait", in seconds.
func parseWait(s string, w window) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || n > uint64(maxWait/time.Second) {
		return 0, refusal.Errorf(refusal.InvalidQuery, "wait is %.40q, must be a whole number of seconds from 0 to %d", s, maxWait/time.Second)
	}
	if !w.asked {
		return 0, refusal.New(refusal.InvalidQuery, "wait is for what comes after a message: say which, with since=ID, or since=all")
	}
	return time.Duration(n) * time.Second, nil
}

// parseFormat reads "format".
func parseFormat(s string) (codec.Format, error) {
	switch s {
	case "", "json":
		return codec.JSON, nil
	case "msgpack":
		return codec.MsgPack, nil
	}
	return 0, refusal.Errorf(refusal.InvalidQuery, "format is %.40q, must be json or msgpack", s)
}

// parseQuiet reads "announce".
func parseQuiet(s string) (quiet bool, err error) {
	switch s {
	case "", "1":
		return false, nil
	case "0":
		return true, nil
	}
	return false, refusal.Errorf(refusal.InvalidQuery, "announce is %.40q, must be 0 or 1", s)
}
