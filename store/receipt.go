package store

import (
	"sync"

	"edgechat/codec"
)

// A receipt is what done is about to be called with.
type receipt struct {
	done func(codec.Receipt)
	r    codec.Receipt
}

// Receipts are told by a goroutine of their own, so that one is never told from
// within Append, and that a message that is on disk already does not wait for a
// disk that stands still.
type receipts struct {
	wake chan struct{} // of size 1; closed when no more are to come
	mu   sync.Mutex
	list []receipt
}

func (q *receipts) add(r receipt) {
	q.mu.Lock()
	q.list = append(q.list, r)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run ends once wake is closed and all are told: whatever was added has left a
// signal in wake, which is received before the close is.
func (q *receipts) run() {
	var list []receipt
	for range q.wake {
		list = q.tell(list)
	}
}

func (q *receipts) tell(spare []receipt) []receipt {
	q.mu.Lock()
	list := q.list
	q.list = spare[:0]
	q.mu.Unlock()
	for _, r := range list {
		r.done(r.r)
	}
	clear(list)
	return list
}
