package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgechat/codec"
	"edgechat/store"
)

// A log that is not verified is so once nodes have agreed on what it holds:
//
//	each claims how far it has the log                         for claimTime
//	who has most leads: it appends anew what the engine lost,  the others claim again, and lead
//	raises the heads of rooms, and opens an epoch              if it does not
//	each rolls back what is behind the start of that epoch     reconcile
//
// Nodes that come later and have more roll back as well: what they have under keys is appended again.
const claimTime = 1500 * time.Millisecond // by default

// settle takes part in that. Its error is never nil: run looks anew.
func (l *Log) settle(st State) error {
	l.troubled(fmt.Errorf("%w, which nodes do in some seconds", ErrUnverified))
	if err := l.mayLead(); err != nil {
		return err
	}
	me := Claim{Node: l.cfg.Node, Position: l.store.Position(), Newest: l.store.Newest()}
	claims, err := l.claim(st.Run, me)
	if err != nil {
		return err
	}
	for end := time.Now().Add(l.cfg.ClaimTime); time.Now().Before(end); {
		if !l.sleep(l.cfg.ClaimTime / 10) {
			return l.ctx.Err()
		}
		now, err := l.look()
		if err != nil {
			return err
		}
		if now.Verified || now.Run != st.Run {
			return errSettled
		}
		if claims, err = l.claim(st.Run, me); err != nil {
			return err
		}
	}
	newest := max(st.Epoch.N, me.Newest, l.opened) // one that was opened and lost at once is known to nobody else
	for _, c := range claims {
		newest = max(newest, c.Newest)
		if c.Position > me.Position || c.Position == me.Position && c.Node < me.Node {
			return errSettled // another leads; if it does not, its claim is over soon
		}
	}
	return l.lead(st, newest+1)
}

// mayLead says that this node's history is of the log, as far as the engine knows its epochs.
func (l *Log) mayLead() error {
	if err := l.learn(); err != nil {
		return err
	}
	return l.checkForeign()
}

// checkForeign looks for an epoch that this node and the log have in common. An engine that knows none has nothing to say.
func (l *Log) checkForeign() error {
	if epochOf(l.store.Position()) == 0 || len(l.told) == 0 || l.common() > 0 {
		return nil
	}
	return fmt.Errorf("%w (of its %d epochs the engine knows none)", ErrForeign, len(l.store.Epochs()))
}

// common returns the number of the newest epoch that this node and the engine have in common, 0 if there is none.
func (l *Log) common() (newest uint64) {
	for n, name := range l.store.Epochs() {
		if l.told[n] == name {
			newest = max(newest, n)
		}
	}
	return newest
}

// before returns the epochs that are known here, for an engine that does not know them. Others take back by where these began what is of another line: where that is
// forgotten it is behind the newest message that this node has of those before.
func (l *Log) before() (list []Epoch, err error) {
	var kept []store.Positioned
	for n, name := range l.store.Epochs() {
		e, ok := l.epochs[n]
		if ok && e.Name != name {
			continue
		}
		if e = (Epoch{N: n, Name: name, Start: e.Start}); e.Start == 0 {
			if kept == nil {
				if kept, err = l.store.After(0); err != nil {
					return nil, err
				}
			}
			i, _ := slices.BinarySearchFunc(kept, positionOf(n, 0), func(x store.Positioned, at uint64) int { return cmp.Compare(x.Position, at) })
			if i > 0 {
				e.Start = countOf(kept[i-1].Position) + 1
			}
		}
		list = append(list, e)
	}
	return list, nil
}

func (l *Log) claim(run string, me Claim) ([]Claim, error) {
	ctx, cancel := context.WithTimeout(l.ctx, ordinary)
	defer cancel()
	return l.engine.Claim(ctx, run, me)
}

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
	if countOf(st.Last) > countOf(l.store.Position()) {
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
	last := max(countOf(st.Last), countOf(l.store.Position()))
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
		fork = countOf(end) + 1
		if end == l.store.Position() { // it has nothing that is newer
			return st.Last, nil
		}
	}
	if fork > countOf(st.Last) {
		return st.Last, nil
	}
	end, err := l.placeOf(fork - 1)
	if err != nil {
		return 0, err
	}
	end = min(end, positionOf(st.Epoch.N, fork-1))
	for at := end; ; {
		entries, err := l.engine.After(ctx, at)
		if err != nil {
			return 0, err
		}
		if len(entries) == 0 {
			return end, nil
		}
		at = entries[len(entries)-1].Position
		entries = slices.DeleteFunc(entries, func(e Entry) bool { return countOf(e.Position) < fork })
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
	if countOf(last) >= countOf(l.store.Position()) {
		return nil, nil
	}
	if list := l.ring.after(last); len(list) > 0 && (countOf(list[0].Position) == countOf(last)+1) {
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
	next := countOf(l.store.Position())
	for i := len(kept) - 1; i >= 0 && countOf(kept[i].Position) == next && next > countOf(last); i-- {
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

// reconcile has this node go back to where it agrees with the log.
func (l *Log) reconcile(st State) error {
	if err := l.learn(); err != nil {
		return err
	}
	if err := l.checkForeign(); err != nil {
		return err
	}
	// What this node has of epochs that the log does not know is of another line, which is over: its numbers may be given again.
	if n := l.common(); l.store.Newest() > n {
		to, err := l.endOf(n)
		if err != nil {
			return err
		}
		if err := l.rollback(to, n); err != nil {
			return err
		}
	}
	position := l.store.Position()
	to := countOf(position)
	for _, e := range l.epochs {
		if e.N > epochOf(position) && e.Start > 0 && e.Start <= to {
			to = e.Start - 1
		}
	}
	if to < countOf(position) {
		place, err := l.placeOf(to)
		if err != nil {
			return err
		}
		if err := l.rollback(place, l.store.Newest()); err != nil {
			return err
		}
	}
	// All, in order: the store takes none that is older than its newest, and this node may have missed some.
	for _, n := range slices.Sorted(maps.Keys(l.told)) {
		l.store.Learn(n, l.told[n])
	}
	l.forgotten()
	return nil
}

// placeOf returns the position of this node that has a count: its epoch is that of the newest entry up to there. Where epochs began an engine may
// have forgotten.
func (l *Log) placeOf(count uint64) (uint64, error) {
	n := min(l.epochAt(count).N, epochOf(l.store.Position()))
	list, err := l.store.After(positionOf(n, count))
	if err != nil {
		return 0, err
	}
	for _, x := range list {
		if countOf(x.Position) > count {
			break
		}
		n = epochOf(x.Position)
	}
	return positionOf(n, count), nil
}

// endOf returns the position up to which this node has entries of epoch n and those before it: in front of the first that is of a later one.
func (l *Log) endOf(n uint64) (uint64, error) {
	position := l.store.Position()
	if epochOf(position) <= n {
		return position, nil
	}
	later, err := l.store.After(positionOf(n+1, 0) - 1)
	if err != nil {
		return 0, err
	}
	end := countOf(position)
	if len(later) > 0 {
		end = countOf(later[0].Position) - 1
	}
	return positionOf(n, end), nil
}

// rollback takes back what is behind a position, and epochs above n.
func (l *Log) rollback(to, n uint64) error {
	taken, err := l.store.After(to)
	if err != nil {
		return err
	}
	records := keyed(taken)
	l.log.Warn("messages taken back", "from", l.store.Position(), "to", to, "count", len(taken), "said again", len(records))
	if len(records) > 0 {
		l.owe(records)
	}
	l.stats.rollbacks.Add(1)
	if err := l.store.Rollback(to, n); err != nil {
		return err
	}
	for known := range l.epochs {
		if _, ok := l.told[known]; !ok {
			delete(l.epochs, known)
		}
	}
	l.publishEpochs()
	l.ring.clear()
	l.mu.Lock()
	l.applied.Store(l.store.Position())
	l.mu.Unlock()
	l.again(records)
	return nil
}

// forgotten has those append again that were told a position which the log does not have any more.
func (l *Log) forgotten() {
	var list []*pending
	l.mu.Lock()
	for position, waiting := range l.waiting {
		if l.isLost(position) {
			list = append(list, waiting...)
			delete(l.waiting, position)
		}
	}
	l.mu.Unlock()
	for _, p := range list {
		l.lostOne(p)
	}
}

// publishEpochs shows epochs to others than the tailer.
func (l *Log) publishEpochs() {
	list := make([]Epoch, 0, len(l.epochs))
	for _, e := range l.epochs {
		list = append(list, e)
	}
	l.lines.Store(&list)
}

// isLost says that a later epoch began at or in front of a position: what the engine said stands there is gone.
func (l *Log) isLost(position uint64) bool {
	for _, e := range *l.lines.Load() {
		if e.N > epochOf(position) && e.Start > 0 && e.Start <= countOf(position) {
			return true
		}
	}
	return false
}

// lostOne appends again what the engine lost, if it has a key.
func (l *Log) lostOne(p *pending) {
	if p.item.Key != "" {
		l.requeue([]*pending{p})
	} else {
		p.fail(fmt.Errorf("%w: the engine lost it", codec.ErrUnavailable))
	}
}

// newName returns the name of an epoch: eight of 36 characters.
func newName() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	name := strconv.FormatUint(binary.LittleEndian.Uint64(b[:])%2_821_109_907_456, 36)
	return strings.Repeat("0", 8-len(name)) + name
}
