package cluster

import (
	"fmt"
	"sync"
	"time"

	"edgechat/codec"
	"edgechat/store"
)

// What a rollback takes away, and has a key, was acknowledged: this node owes it to the log, and appends it again. The store keeps it
// in a file until that is done, since the node may end before.
type owed struct {
	mu    sync.Mutex
	list  map[string]codec.Record // by room and key
	ahead bool                    // some of the file's are paid
}

// neverLate is when what is owed is given up.
const neverLate = 100 * 365 * 24 * time.Hour

func owedName(rec *codec.Record) string { return fmt.Sprint(len(rec.Room), " ", rec.Room, rec.Key) }

// recall takes up what was owed when this node ended. It is called before anything else is appended.
func (l *Log) recall() {
	records, err := l.store.Owed()
	if err != nil { // those behind the fault are lost; those in front of it are not
		l.log.Error("messages that were taken back not read", "err", err)
	}
	if len(records) > 0 {
		_ = l.owe(records) // it was logged, and the file is there
	}
}

// owe notes records on disk, before they are taken away.
func (l *Log) owe(records []codec.Record) error {
	l.owed.mu.Lock()
	defer l.owed.mu.Unlock()
	for _, rec := range records {
		l.owed.list[owedName(&rec)] = rec
	}
	return l.keepOwed()
}

// keepOwed has mu of owed.
func (l *Log) keepOwed() error {
	records := make([]codec.Record, 0, len(l.owed.list))
	for _, rec := range l.owed.list {
		records = append(records, rec)
	}
	err := l.store.Owe(records)
	if err != nil {
		l.log.Error("messages that were taken back not kept", "count", len(records), "err", err)
	}
	return err
}

// keyed are the records of those that can be said again. Of one that was edited since, and has no content any more, it is what the edit says; of
// one that was deleted, nothing.
func keyed(list []store.Positioned) (records []codec.Record) {
	type place struct {
		room string
		id   codec.ID
	}
	edits := map[place]string{}
	for _, x := range list {
		if x.Message.Kind == codec.Edit && !x.Superseded {
			edits[place{x.Room, x.Message.Target}] = x.Message.Content
		}
	}
	for _, x := range list {
		if x.Key == "" || x.Message.Kind != codec.Said {
			continue
		}
		rec := x.Record
		if rec.Superseded {
			content, edited := edits[place{x.Room, x.Message.ID}]
			if !edited {
				continue
			}
			rec.Superseded, rec.Message.Content = false, content
		}
		rec.Message.ID = codec.ID{}
		records = append(records, rec)
	}
	return records
}

// again appends records that are owed, under the keys that they had.
func (l *Log) again(records []codec.Record) {
	var items []*pending
	for _, rec := range records {
		p := &pending{room: rec.Room, key: rec.Key, until: time.Now().Add(neverLate), owed: true}
		p.item = Item{Room: rec.Room, Key: HashOf(rec.Room, rec.Key), Record: codec.AppendRecord(nil, &rec)}
		p.done.Tell = func(r codec.Receipt) {
			if r.Err == nil && r.Durable {
				l.paid(rec)
			}
		}
		items = append(items, p)
	}
	l.stats.again.Add(uint64(len(items)))
	l.requeue(items)
}

// paid notes that the log has a record again.
func (l *Log) paid(rec codec.Record) {
	l.owed.mu.Lock()
	defer l.owed.mu.Unlock()
	delete(l.owed.list, owedName(&rec))
	if l.owed.ahead = len(l.owed.list) > 0; !l.owed.ahead {
		_ = l.keepOwed() // it was logged
	}
}

// strike has the file hold what is owed still, once a second: an engine forgets keys after a while, and what is appended again then is said twice.
func (l *Log) strike() {
	l.owed.mu.Lock()
	defer l.owed.mu.Unlock()
	if l.owed.ahead {
		l.owed.ahead = false // a file that cannot be written is tried again with the next that is paid
		_ = l.keepOwed()     // it was logged
	}
}

// owing returns all that is owed.
func (l *Log) owing() (records []codec.Record) {
	l.owed.mu.Lock()
	defer l.owed.mu.Unlock()
	for _, rec := range l.owed.list {
		records = append(records, rec)
	}
	return records
}
