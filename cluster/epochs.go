package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"edgechat/store"
)

// mayLead says that this node's history is of the log, as far as the engine knows its epochs.
func (l *Log) mayLead() error {
	if err := l.learn(); err != nil {
		return err
	}
	return l.checkForeign()
}

// checkForeign looks for an epoch that this node and the log have in common. An engine that knows none has nothing to say.
func (l *Log) checkForeign() error {
	if EpochOf(l.store.Position()) == 0 || len(l.told) == 0 || l.common() > 0 {
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
			i, _ := slices.BinarySearchFunc(kept, PositionOf(n, 0), func(x store.Positioned, at uint64) int { return cmp.Compare(x.Position, at) })
			if i > 0 {
				e.Start = CountOf(kept[i-1].Position) + 1
			}
		}
		list = append(list, e)
	}
	return list, nil
}

// publishEpochs shows epochs to others than the tailer.
func (l *Log) publishEpochs() {
	list := make([]Epoch, 0, len(l.epochs))
	for _, e := range l.epochs {
		list = append(list, e)
	}
	l.lines.Store(&list)
}

// newName returns the name of an epoch: eight of 36 characters.
func newName() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	name := strconv.FormatUint(binary.LittleEndian.Uint64(b[:])%2_821_109_907_456, 36)
	return strings.Repeat("0", 8-len(name)) + name
}

// nameOf returns the name of an epoch.
func (l *Log) nameOf(n uint64) (string, error) {
	if e, ok := l.epochs[n]; ok {
		return e.Name, nil
	}
	if err := l.learn(); err != nil {
		return "", err
	}
	e, ok := l.epochs[n]
	if !ok {
		return "", fmt.Errorf("the engine does not know epoch %d, of which it has messages", n)
	}
	return e.Name, nil
}

// learn asks for the epochs.
func (l *Log) learn() error {
	ctx, cancel := context.WithTimeout(l.ctx, ordinary)
	defer cancel()
	list, err := l.engine.Epochs(ctx)
	if err != nil {
		return err
	}
	l.told = make(map[uint64]string, len(list)) // an engine that was flushed knows less than this node
	for _, e := range list {
		if known := l.epochs[e.N]; e.Start == 0 && known.Name == e.Name {
			e.Start = known.Start
		}
		l.epochs[e.N], l.told[e.N] = e, e.Name
	}
	l.publishEpochs()
	return nil
}

// epochAt returns the epoch that an entry with this count is of; N is 0 if it is of before the first.
func (l *Log) epochAt(count uint64) (at Epoch) {
	for _, e := range l.epochs {
		if e.Start > 0 && e.Start <= count && e.N > at.N {
			at = e
		}
	}
	return at
}
