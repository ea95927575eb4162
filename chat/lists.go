package chat

import (
	"net/http"
	"sync"
	"time"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/ws"
)

// A roomList is the live rooms as they were a moment ago. To find out walks over all rooms there are, under the lock of each: who
// asks meanwhile waits for the same, and for some time as long as that took, many times over, gets the same. So lists take a
// small part of a core, however many ask, and one of few rooms is never old.
type roomList struct {
	mu    sync.Mutex
	rooms []codec.Room // replaced, never changed
	body  []byte       // all of them as JSON; nil until somebody may read all
	made  time.Time
	took  time.Duration
}

// A list is used for listShare times as long as it took to make, and listAge at most.
const (
	listShare = 20
	listAge   = time.Second
)

// read returns the rooms as now says they are, and if all is set, the answer that has all of them.
func (l *roomList) read(now func() []codec.Room, all bool) (rooms []codec.Room, body []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if began := time.Now(); l.made.IsZero() || began.Sub(l.made) > min(listShare*l.took, listAge) {
		l.rooms, l.body = now(), nil
		l.made = time.Now()
		l.took = l.made.Sub(began)
	}
	if all && l.body == nil {
		l.body = append(codec.AppendRooms(nil, l.rooms), '\n')
	}
	return l.rooms, l.body
}

// getRooms answers with the live rooms that the caller may read.
func (ctl *Controller) getRooms(w http.ResponseWriter, r *ws.Request) error {
	id := identityOf(r)
	all := id.MayAll(auth.Read)
	rooms, body := ctl.rooms.read(ctl.cfg.Hub.Rooms, all)
	if all {
		return answer(w, http.StatusOK, typeJSON, body)
	}
	return answerList(w, codec.BeginRooms, rooms, func(room *codec.Room) bool { return id.May(auth.Read, room.Name) }, codec.AppendRoom)
}

// getMembers answers with who is in a room.
func (ctl *Controller) getMembers(w http.ResponseWriter, r *ws.Request) error {
	begin := string(codec.BeginMembers(nil, roomOf(r)))
	return answerList(w, begin, ctl.cfg.Hub.Members(roomOf(r)), nil, codec.AppendMember)
}

// answerList answers with those elements that may be told, a piece at a time: a list may be long, and many may ask for it.
func answerList[T any](w http.ResponseWriter, head string, list []T, may func(*T) bool, appendTo func([]byte, *T) []byte) error {
	begin(w.Header(), typeJSON)
	w.WriteHeader(http.StatusOK)
	buf := append(make([]byte, 0, min(historyPiece, len(head)+128*len(list)+16)), head...)
	first := true
	for i := range list {
		if may != nil && !may(&list[i]) {
			continue
		}
		if !first {
			buf = append(buf, ',')
		}
		first = false
		if buf = appendTo(buf, &list[i]); len(buf) > historyPiece-1024 {
			if _, err := w.Write(buf); err != nil {
				return nil // of a client that has gone
			}
			buf = buf[:0]
		}
	}
	_, _ = w.Write(append(buf, codec.EndList+"\n"...))
	return nil
}

// checkReads is the first guard of what is read over plain HTTP.
func (ctl *Controller) checkReads(r *ws.Request) error {
	l := ctl.limits
	if over := tooFast("requests from this address", l.Reads, l.reads.Take(r.Source(), 1), &l.counts.reads); over != nil {
		return over.answer()
	}
	return nil
}
