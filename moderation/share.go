package moderation

import (
	"slices"
	"time"
)

// shareSave is after what time what others decided is written: many decisions come at once.
const shareSave = 200 * time.Millisecond

// Obey names who is told of each rule that another node has made, once it is in force here, and of each kick. It is called before Merge.
func (r *Rules) Obey(obey func(Rule)) { r.obey = obey }

// Sums are digests of what the cluster has decided, as this node knows it, by parts: nodes with the same have the same rules.
func (r *Rules) Sums() [Parts]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweepLocked()
	return r.ledger.sums
}

// sweepLocked ends what is over.
func (r *Rules) sweepLocked() {
	if r.ledger.sweep(time.Now()) {
		r.changedLocked()
	}
}

// changedLocked has what the ledger says be in force, and written some time.
func (r *Rules) changedLocked() {
	r.rules = r.ledger.rules()
	r.made++
	r.publishLocked()
	if r.closed || r.due {
		return
	}
	r.due = true
	r.wg.Go(func() {
		time.Sleep(shareSave)
		r.mu.Lock()
		r.due = false
		r.mu.Unlock()
		_ = r.save() // it says so itself
	})
}

// Tell returns all decisions that are in some of the parts, for Merge of other nodes: JSON, of at most so many bytes each, which has to be more than a decision
// takes, some 2 KB.
func (r *Rules) Tell(which [Parts]bool, most int) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweepLocked()
	return r.ledger.tell(&which, most, time.Now())
}

// Merge takes over decisions of other nodes, as Spread and Tell of these have them. What they end here, Obey's function is told.
func (r *Rules) Merge(parts [][]byte) {
	r.mu.Lock()
	r.sweepLocked()
	news, unfit := r.ledger.take(parts, len(r.rules), r.cfg.Most, time.Now())
	if len(news) > 0 {
		r.changedLocked()
	}
	r.mu.Unlock()
	r.count.taken.Add(uint64(len(news)))
	if unfit > 0 && r.count.unfit.Add(uint64(unfit)) == uint64(unfit) {
		r.cfg.Logger.Warn("moderation of other nodes not taken over", "decisions", unfit, "hint", "give all nodes the same version and the same --moderation-rules")
	}
	if len(news) == 0 {
		return
	}
	r.cfg.Logger.Info("moderation of other nodes", "decisions", len(news), "from", news[0].Node)
	slices.SortFunc(news, inOrder)
	for _, d := range news {
		if !d.Ended && r.obey != nil {
			r.obey(d.Rule)
		}
	}
}

// ended counts what was ended and is known.
func (r *Rules) ended() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ledger == nil {
		return 0
	}
	for _, d := range r.ledger.entries {
		if d.Ended && !d.isEvent() {
			n++
		}
	}
	return n
}

// spread tells other nodes what this one has decided.
func (r *Rules) spread(list []*decision) {
	now := time.Now()
	for _, d := range list {
		r.cfg.Spread(append(append([]byte{'['}, d.encoded(now)...), ']'))
	}
}

// event has other nodes do what o does to connections, if it is no rule that does it.
func (r *Rules) event(by string, o *Order) {
	if r.ledger == nil {
		return
	}
	rule := Rule{Kind: kindKick, Room: o.Room, Identity: o.Identity, Name: o.Name, Address: o.Address, Reason: o.Reason,
		By: by, Since: time.Now().UTC().Truncate(time.Millisecond), address: o.Subject.Address}
	switch o.Act.Act {
	case ActKick:
	case ActClose:
		rule.Kind = kindOut
	default:
		return
	}
	r.mu.Lock()
	d := r.ledger.decide(rule.lasting(eventLife), false, time.Now())
	r.ledger.prune(r.cfg.Most)
	r.mu.Unlock()
	r.spread([]*decision{d})
}

// Ends returns what those are told whose connections r ends, and who these are; nil if it ends none.
func (r *Rule) Ends() (no *Refusal, about func(Who) bool) {
	about = Subject{r.Identity, r.Name, r.address}.Is
	left := r.left(time.Now())
	switch r.Kind {
	case kindKick:
		return Kicking(r.Room, r.Reason), about
	case KindBan:
		return Banning(r.Room, r.Reason, left), about
	case kindOut:
		return Closing(r.Reason, 0), func(Who) bool { return true }
	case KindClosed:
		return Closing(r.Reason, left), func(Who) bool { return true }
	}
	return nil, nil
}
