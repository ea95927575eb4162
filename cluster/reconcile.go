package cluster

import (
	"fmt"
	"maps"
	"slices"

	"edgechat/codec"
)

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
	to := CountOf(position)
	for _, e := range l.epochs {
		if e.N > EpochOf(position) && e.Start > 0 && e.Start <= to {
			to = e.Start - 1
		}
	}
	if to < CountOf(position) {
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
	n := min(l.epochAt(count).N, EpochOf(l.store.Position()))
	list, err := l.store.After(PositionOf(n, count))
	if err != nil {
		return 0, err
	}
	for _, x := range list {
		if CountOf(x.Position) > count {
			break
		}
		n = EpochOf(x.Position)
	}
	return PositionOf(n, count), nil
}

// endOf returns the position up to which this node has entries of epoch n and those before it: in front of the first that is of a later one.
func (l *Log) endOf(n uint64) (uint64, error) {
	position := l.store.Position()
	if EpochOf(position) <= n {
		return position, nil
	}
	later, err := l.store.After(PositionOf(n+1, 0) - 1)
	if err != nil {
		return 0, err
	}
	end := CountOf(position)
	if len(later) > 0 {
		end = CountOf(later[0].Position) - 1
	}
	return PositionOf(n, end), nil
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
		if err := l.owe(records); err != nil {
			return fmt.Errorf("keep %d messages before they are taken back: %w", len(records), err)
		}
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

// isLost says that a later epoch began at or in front of a position: what the engine said stands there is gone.
func (l *Log) isLost(position uint64) bool {
	for _, e := range *l.lines.Load() {
		if e.N > EpochOf(position) && e.Start > 0 && e.Start <= CountOf(position) {
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
