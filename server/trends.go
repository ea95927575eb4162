package server

import (
	"fmt"
	"time"

	"edgechat/admin"
	"edgechat/chat"
	"edgechat/hub"
	"edgechat/store"
	"edgechat/ws"
)

// What a card and clients may do in a minute until it is said to be wrong.
const (
	lateCommit = 100 * time.Millisecond // half of the commits take longer
	leastLate  = 3                      // of so many
	manyLimits = 100                    // messages, requests and connections refused by limits
)

// troubles are the counters that say in time that something is wrong: each grows only then.
type troubles struct {
	unwritten, squeezed, lateReads, reopens uint64 // of the store
	paused, undurable                       uint64 // clients that are owed many acks
	slow, limited                           uint64 // clients that take too little, or ask for too much
}

func readTroubles(n ws.Stats, h hub.Stats, st store.Stats, c chat.Stats) troubles {
	t := troubles{
		unwritten: st.Unwritten, squeezed: st.Squeezed, lateReads: st.Late, reopens: st.Reopens,
		paused: c.AckPauses, undurable: c.AcksRefused + st.Refused, slow: n.Slow,
	}
	for _, l := range limited(&look{Stats: Stats{WS: n, Hub: h, Store: st, Chat: c}}) {
		t.limited += l.value.(uint64)
	}
	return t
}

// trends returns what went wrong since minute, or since day where it takes longer to be seen to.
func trends(now, minute, day sample) (list []admin.Problem) {
	warn := func(code, message, hint string) {
		list = append(list, admin.Problem{Code: code, Message: message, Hint: hint})
	}
	t, m := &now.troubles, &minute.troubles
	if commits := now.commit.Since(minute.commit); commits.Count() >= leastLate && commits.Quantile(0.5) > lateCommit {
		warn("late", fmt.Sprintf("the card is late: half of the last %d commits took more than %v, and 99 of 100 less than %v; acks wait for them, messages do not",
			commits.Count(), lateCommit, commits.Quantile(0.99)), "edgechat doctor measures it; a card that gets slower wears out: make a backup, and put another in")
	}
	if n := t.unwritten - m.unwritten; n > 0 {
		warn("displaced", fmt.Sprintf("more is said than the card takes: in the last minute %d messages left the history before they were on the card", n),
			"raise --history and --history-bytes, or put a faster card in; edgechat admin rooms says where so much is said")
	}
	if paused, undurable := t.paused-m.paused, t.undurable-m.undurable; paused+undurable > 0 {
		warn("owed", fmt.Sprintf("acks come late: in the last minute clients were not read from %d times, since many acks were owed to them, and %d acks said at once that a message is not durable",
			paused, undurable), "the card is slower than these clients: edgechat doctor measures it, edgechat admin rooms says where so much is said")
	}
	if n := t.lateReads - m.lateReads; n > 0 {
		warn("reads", fmt.Sprintf("the card does not answer: in the last minute %d requests for older messages got what is in memory alone", n),
			"the card fails or hangs: dmesg says more; make a backup, and put another card in")
	}
	if n := t.squeezed - day.troubles.squeezed; n > 0 {
		warn("quota", fmt.Sprintf("the history has reached the most that its file may take: %d times in the last day the rooms that take the most gave an eighth of what is kept", n),
			"lower --history or --history-bytes, so that what is kept fits")
	}
	if n := t.reopens - day.troubles.reopens; n > 0 {
		warn("reopened", fmt.Sprintf("the files of the history were deleted, replaced or not to be trusted: %d times in the last day they were opened or made anew", n),
			"nobody may touch them while the server runs: edgechat restore puts a backup in their place once it is stopped. If nobody did, the card fails: dmesg")
	}
	if n := t.slow - m.slow; n > 0 {
		warn("slow", fmt.Sprintf("%d connections were closed in the last minute since they took too little of what was said", n),
			"they come back and go on from where they were; the log says from where (msg=closed code=1013): look at their network, or raise --write-timeout")
	}
	if n := t.limited - m.limited; n >= manyLimits {
		warn("flood", fmt.Sprintf("clients ask for more than they may: %d messages, requests and connections were refused by limits in the last minute", n),
			"the log says from where (msg=refused, msg=closed), edgechat admin status which limits; a client that is right to ask so much needs a higher one: edgechat config lists them")
	}
	return list
}
