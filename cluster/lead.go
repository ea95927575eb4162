package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"edgechat/codec"
	"edgechat/store"
)

// lead restores what the engine lost, and opens epoch n.
func (l *Log) lead(st State, n uint64) error {
	ctx, cancel := context.WithTimeout(l.ctx, ordinary)
	defer cancel()
	leads, err := l.engine.Lead(ctx, st.Run, l.cfg.Node)
	if err != nil || !leads {
		return errors.Join(err, errSettled)
	}
	if st, err = l.look(); err != nil || st.Verified {
		return errors.Join(err, errSettled)
	}
	if st.Last, err = l.retract(ctx, st); err != nil {
		return err
	}
	lost, err := l.lost(st.Last)
	if err != nil {
		return err
	}
	mine := l.store.Heads()
	if CountOf(st.Last) > CountOf(l.store.Position()) {
		mine = nil // the engine has more than anybody here
	}
	for first := true; first || len(lost) > 0; first = false {
		part := lost[:min(len(lost), mostItems)]
		lost = lost[len(part):]
		if err := l.engine.Restore(ctx, st.Run, l.cfg.Node, part, mine); err != nil {
			return fmt.Errorf("restore what the engine lost: %w", err)
		}
		mine = nil
	}
	last := max(CountOf(st.Last), CountOf(l.store.Position()))
	e := Epoch{N: n, Name: newName(), Start: last + 1}
	l.opened = n
	before, err := l.before()
	if err != nil {
		return err
	}
	if err := l.engine.Open(ctx, st.Run, l.cfg.Node, e, before); err != nil {
		return fmt.Errorf("open epoch %d: %w", n, err)
	}
	l.stats.epochs.Add(1)
	l.log.Warn("cluster epoch begun", "epoch", e.Name, "n", n, "run", st.Run, "engine had", st.Last, "this node", l.store.Position())
	return errSettled
}

// retract takes from the log what is behind the start of an epoch that this node has and the engine does not know: it is of a line that is over, which a primary
// of before a failover goes on with. It returns where the log ends then.
func (l *Log) retract(ctx context.Context, st State) (uint64, error) {
	fork := uint64(0) // count of the first that is of another line
	for n, name := range l.store.Epochs() {
		if e := l.epochs[n]; n > st.Epoch.N && e.Name == name && e.Start > 0 && (fork == 0 || e.Start < fork) {
			fork = e.Start
		}
	}
	if fork == 0 {
		end, err := l.endOf(st.Epoch.N)
		if err != nil {
			return 0, err
		}
		fork = CountOf(end) + 1
		if end == l.store.Position() { // it has nothing that is newer
			return st.Last, nil
		}
	}
	if fork > CountOf(st.Last) {
		return st.Last, nil
	}
	end, err := l.placeOf(fork - 1)
	if err != nil {
		return 0, err
	}
	end = min(end, PositionOf(st.Epoch.N, fork-1))
	for at := end; ; {
		entries, err := l.engine.After(ctx, at)
		if err != nil {
			return 0, err
		}
		if len(entries) == 0 {
			return end, nil
		}
		at = entries[len(entries)-1].Position
		entries = slices.DeleteFunc(entries, func(e Entry) bool { return CountOf(e.Position) < fork })
		if len(entries) == 0 {
			continue
		}
		for i, e := range entries {
			if rec, err := codec.DecodeRecord(e.Record); err == nil && rec.Key != "" {
				entries[i].Key = HashOf(e.Room, rec.Key)
			}
		}
		if err := l.engine.Retract(ctx, st.Run, l.cfg.Node, entries); err != nil {
			return 0, fmt.Errorf("retract what is of another line: %w", err)
		}
		l.stats.retracted.Add(uint64(len(entries)))
		l.log.Warn("messages of another line retracted", "from", entries[0].Position, "count", len(entries))
	}
}

// lost returns what the engine does not have of this node's newest entries: as many as there are without a gap.
func (l *Log) lost(last uint64) ([]Entry, error) {
	if CountOf(last) >= CountOf(l.store.Position()) {
		return nil, nil
	}
	if list := l.ring.after(last); len(list) > 0 && (CountOf(list[0].Position) == CountOf(last)+1) {
		for i := range list {
			if rec, err := codec.DecodeRecord(list[i].Record); err == nil && rec.Key != "" {
				list[i].Key = HashOf(list[i].Room, rec.Key)
			}
		}
		return list, nil
	}
	kept, err := l.store.After(last)
	if err != nil {
		return nil, err
	}
	var list []Entry
	next := CountOf(l.store.Position())
	for i := len(kept) - 1; i >= 0 && CountOf(kept[i].Position) == next && next > CountOf(last); i-- {
		list = append(list, entryOf(kept[i]))
		next--
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list, nil
}

// entryOf is a message of the store as the log has it.
func entryOf(x store.Positioned) Entry {
	rec := x.Record
	offset := rec.Message.ID.Offset
	rec.Message.ID = codec.ID{}
	e := Entry{Position: x.Position, Room: x.Room, Offset: offset, Record: codec.AppendRecord(nil, &rec)}
	if x.Key != "" {
		e.Key = HashOf(x.Room, x.Key)
	}
	return e
}
