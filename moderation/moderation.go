// Package moderation keeps what moderators have decided: who is banned or muted, by the name of a token, by the name
// that is shown, or by address; which rooms are slow, read-only or closed. It says who may enter and write by
// that, and knows no connection: package chat closes those that a rule is about.
//
// A rule is in force as soon as [Rules.Do] has made it, and acknowledged once it is on disk. The file (file.go) is small,
// and replaced in one step, so that a power cut leaves the rules of before or those of after.
//
// Time: a rule that ends does so by the monotonic clock. What is left of it over a restart goes by the wall clock, as
// far as that can be believed: see [Rule].
//
// In a cluster (Config.Node) the rules of all nodes become the same: see ledger.go. What this one decides, Spread is given at once; [Rules.Sums], [Rules.Tell] and
// [Rules.Merge] mend what was lost on the way, or decided while a node was away.
//
// The one rule for callers: a connection that is let in is registered first and asked about afterwards, and a rule is made
// first and applied to connections afterwards: then nobody slips between.
package moderation

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"edgechat/refusal"
)

// DefaultMost is how many rules a Config that names no number allows.
const DefaultMost = 1000

// DefaultSlowPerAddress is for a household behind one address; whoever changes his name gains no more than that.
const DefaultSlowPerAddress = 5

// A Config says where rules are kept, and how many.
type Config struct {
	Path   string       // of the file; "" keeps them in memory alone
	Most   int          // rules at once; default DefaultMost
	Logger *slog.Logger // nil discards
	// Node is the name of this node in a cluster; "" is a server that is alone, for which there is no ledger, and whose file is of version 1.
	Node string
	// Spread is given what this node decides, for Merge of all others. It must not block. Required with Node.
	Spread func(part []byte)
	// SlowPerAddress is how many messages all who have no token may send from one address, in the time in which slow mode lets each send
	// one. Default no limit; see DefaultSlowPerAddress.
	SlowPerAddress int

	// For tests.
	saveWait, retryAfter time.Duration
}

// Rules are those that are in force. Its methods may be called from any goroutine; but for Do, Open and Close none waits
// for the disk.
type Rules struct {
	cfg   Config
	index atomic.Pointer[index] // nil while there is no rule
	pace  pace
	count counters

	mu     sync.Mutex
	rules  []Rule  // in the order in which they were made
	made   uint64  // changes so far
	ledger *ledger // nil without Config.Node
	due    bool    // somebody writes the file soon
	obey   func(Rule)

	saveMu sync.Mutex // held by who writes the file
	saved  uint64     // the change that it has
	fault  atomic.Pointer[error]
	damage atomic.Pointer[string]
	wg     sync.WaitGroup // writers
	retry  *time.Timer    // nil unless the file could not be written; guarded by mu
	closed bool           // guarded by mu
}

// Stats are counters since the start, save for Rules.
type Stats struct {
	Rules   map[Kind]int            // in force now
	Acts    map[Verb]uint64         // that were done
	Refused map[refusal.Code]uint64 // requests and frames that rules refused, by reason
	Failed  uint64                  // times that the file could not be written
	Crowded uint64                  // of Refused: messages, by Config.SlowPerAddress
	Taken   uint64                  // decisions of other nodes that were taken over
	Unfit   uint64                  // and that were not, since there are too many, or of a version that knows others
	Ended   int                     // rules that were ended lately, as nodes that were away have to know
}

type counters struct {
	acts    [len(verbs)]atomic.Uint64
	refused refusal.Counts
	failed  atomic.Uint64
	crowded atomic.Uint64
	taken   atomic.Uint64
	unfit   atomic.Uint64
}

// Codes are those with which rules refuse.
var Codes = []refusal.Code{refusal.Banned, refusal.Muted, refusal.ReadOnly, refusal.SlowMode, refusal.RoomClosed}

// Stats returns the counters as they are now.
func (r *Rules) Stats() Stats {
	s := Stats{Rules: make(map[Kind]int), Acts: make(map[Verb]uint64), Refused: make(map[refusal.Code]uint64), Failed: r.count.failed.Load(), Crowded: r.count.crowded.Load()}
	for _, k := range kinds {
		s.Rules[k] = 0
	}
	for _, rule := range r.List("") {
		s.Rules[rule.Kind]++
	}
	for i := range verbs {
		s.Acts[verbs[i].verb] = r.count.acts[i].Load()
	}
	s.Taken, s.Unfit, s.Ended = r.count.taken.Load(), r.count.unfit.Load(), r.ended()
	refused := r.count.refused.Read()
	for _, c := range Codes {
		s.Refused[c] = refused[c]
	}
	return s
}

// Count counts an act that was done.
func (r *Rules) Count(v Verb) {
	if i := v.place(); i >= 0 {
		r.count.acts[i].Add(1)
	}
}

// How long an act waits for the disk, and until a file that could not be written is tried again.
const (
	saveWait   = 5 * time.Second
	retryAfter = 10 * time.Second
)

// Open reads the rules of cfg.Path, if there are any. A file that is damaged is put aside, what can be read of it is in
// force, and Warning says so. The error is that of a file that may not be read, or of a newer version.
func Open(cfg Config) (*Rules, error) {
	cfg.Most = cmp.Or(cfg.Most, DefaultMost)
	cfg.saveWait, cfg.retryAfter = cmp.Or(cfg.saveWait, saveWait), cmp.Or(cfg.retryAfter, retryAfter)
	if cfg.Most < 1 {
		return nil, fmt.Errorf("moderation: Most is %d, must be at least 1", cfg.Most)
	}
	if cfg.Node != "" && cfg.Spread == nil {
		return nil, errors.New("moderation: a Node needs a Spread")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Rules{cfg: cfg}
	if cfg.Node != "" {
		r.ledger = &ledger{node: cfg.Node, entries: map[string]*decision{}}
	}
	if cfg.Path == "" {
		return r, nil
	}
	if err := r.load(); err != nil {
		return nil, fmt.Errorf("moderation: open %s: %w", cfg.Path, err)
	}
	r.publishLocked() // nobody else has r
	return r, nil
}

// Close writes what the file does not have, and returns what kept it from that.
func (r *Rules) Close() error {
	r.mu.Lock()
	r.closed = true
	if r.retry != nil {
		r.retry.Stop()
	}
	r.mu.Unlock()
	r.wg.Wait()
	if err := r.save(); err != nil {
		return fmt.Errorf("moderation: write %s: %w", r.cfg.Path, err)
	}
	return nil
}

// Warning says that rules are in memory alone, or that some could not be read; nil if all is well.
func (r *Rules) Warning() error {
	if err := r.fault.Load(); err != nil {
		return fmt.Errorf("moderation: bans and other rules are in memory alone: %w", *err)
	}
	if text := r.damage.Load(); text != nil {
		return errors.New("moderation: " + *text)
	}
	return nil
}

// List returns the rules in force, of one room, or with "" of all and of the whole server; the oldest first.
func (r *Rules) List(room string) []Rule {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	list := make([]Rule, 0, len(r.rules))
	for _, rule := range r.rules {
		if !rule.over(now) && (room == "" || rule.Room == room) {
			list = append(list, rule.at(now))
		}
	}
	return list
}

// Do makes or ends the rule that o is about, in the name of by. applied, if not nil, is called as soon as that is in force; then Do waits
// until it is on disk. durable is false if that failed, or takes longer than some seconds: it is tried again.
//
// The error is a *refusal.Error: there are as many rules as there may be, or none that could be ended. Nothing has
// changed then.
func (r *Rules) Do(by string, o Order, applied func()) (durable bool, err error) {
	rule, ends := o.rule(by)
	if rule.Kind == "" { // nothing that lasts
		if applied != nil {
			applied()
		}
		r.event(by, &o)
		return true, nil
	}
	decided, err := r.change(rule, ends, o.must)
	if err != nil {
		return false, err
	}
	r.spread(decided)
	if applied != nil {
		applied()
	}
	written := make(chan error, 1)
	r.wg.Go(func() { written <- r.save() }) // for as long as the disk takes
	select {
	case err := <-written:
		return err == nil, nil
	case <-time.After(r.cfg.saveWait):
		return false, nil
	}
}

// change puts rule in the place of the one of its kind for the same, or ends that, and returns what other nodes have to hear of.
func (r *Rules) change(rule Rule, ends, must bool) (decided []*decision, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	rules := slices.DeleteFunc(slices.Clone(r.rules), func(x Rule) bool { return x.over(now) })
	i := slices.IndexFunc(rules, rule.same)
	if i >= 0 { // and of a file of before, or by way of a name that looks like two others, more of them
		rules = slices.Concat(rules[:i+1], slices.DeleteFunc(rules[i+1:], rule.same))
	}
	switch {
	case ends && i < 0 && must:
		return nil, refusal.Errorf(refusal.NotFound, "there is no %s of %s%s: list what there is", rule.Kind, cmp.Or(rule.About(), fmt.Sprintf("room %q", rule.Room)), rule.where())
	case !ends && i < 0 && len(rules) >= r.cfg.Most:
		return nil, refusal.Errorf(refusal.TooManyRules, "there are as many bans, mutes and rules of rooms as there may be, %d: end some that are not needed any more", r.cfg.Most)
	case r.ledger != nil:
		decided = r.ledger.change(rule, ends, now)
		r.ledger.prune(r.cfg.Most)
		rules = r.ledger.rules()
	case ends && i < 0:
	case ends:
		rules = slices.Delete(rules, i, i+1)
	case i >= 0:
		rules[i] = rule
	default:
		rules = append(rules, rule)
	}
	r.rules = rules
	r.made++
	r.publishLocked()
	return decided, nil
}

func (r *Rules) publishLocked() {
	if len(r.rules) == 0 {
		r.index.Store(nil)
		return
	}
	r.index.Store(newIndex(r.rules))
}
