package server

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"edgechat/admin"
	"edgechat/internal/edgetest"
	"edgechat/metrics"
)

// TestTrends: each counter that grows only when something is wrong is told, with what to do, and while it stands still nothing is.
func TestTrends(t *testing.T) {
	var fast, late metrics.Histogram
	for range 10 {
		fast.Observe(5 * time.Millisecond)
		late.Observe(300 * time.Millisecond)
	}
	for _, c := range []struct {
		now  sample
		code string
		says string
	}{
		{sample{}, "", ""},
		{sample{commit: fast.Read()}, "", ""},
		{sample{commit: late.Read()}, "late", "half of the last 10 commits took more than 100ms, and 99 of 100 less than 500ms"},
		{sample{troubles: troubles{unwritten: 3}}, "displaced", "3 messages left the history"},
		{sample{troubles: troubles{paused: 2, undurable: 9}}, "owed", "not read from 2 times"},
		{sample{troubles: troubles{undurable: 9}}, "owed", "9 acks said at once"},
		{sample{troubles: troubles{lateReads: 4}}, "reads", "4 requests for older messages"},
		{sample{troubles: troubles{squeezed: 1}}, "quota", "1 times in the last day"},
		{sample{troubles: troubles{reopens: 1}}, "reopened", "1 times in the last day"},
		{sample{troubles: troubles{slow: 5}}, "slow", "5 connections"},
		{sample{troubles: troubles{limited: manyLimits - 1}}, "", ""},
		{sample{troubles: troubles{limited: manyLimits}}, "flood", "100 messages, requests and connections"},
	} {
		list := trends(c.now, sample{}, sample{})
		if c.code == "" {
			if len(list) > 0 {
				t.Errorf("of %+v: %+v", c.now.troubles, list)
			}
			continue
		}
		if len(list) != 1 || list[0].Code != c.code || !strings.Contains(list[0].Message, c.says) || list[0].Hint == "" {
			t.Errorf("%s: %+v", c.code, list)
		}
		if list := trends(c.now, c.now, c.now); len(list) > 0 {
			t.Errorf("%s, and nothing since: %+v", c.code, list)
		}
	}
}

// TestTold: what is wrong is logged when it begins, and a minute after it is over, however often it is looked at.
func TestTold(t *testing.T) {
	log, list := new(edgetest.Log), told{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	var problems, warnings []admin.Problem
	look := func(ticks int) {
		for range ticks {
			list.tell(logger, func() ([]admin.Problem, []admin.Problem) { return problems, warnings })
		}
	}
	count := func(when string, wrong, over int) {
		t.Helper()
		if w, o := strings.Count(log.String(), "something is wrong"), strings.Count(log.String(), "no longer wrong"); w != wrong || o != over {
			t.Errorf("%s: told %d times, and that it is over %d times:\n%s", when, w, o, log)
		}
	}
	look(10)
	count("at first", 0, 0)
	problems = []admin.Problem{{Code: "store", Message: "the card fails", Hint: "another"}}
	warnings = []admin.Problem{{Code: "store", Message: "it is memory", Hint: "a disk"}}
	look(10)
	count("two are wrong", 2, 0)
	if !log.Has(`level=ERROR msg="something is wrong" code=store what="the card fails" hint=another`) || !log.Has(`level=WARN msg="something is wrong" code=store what="it is memory" hint="a disk"`) {
		t.Errorf("%s", log)
	}
	problems = nil
	look(meterShort)
	count("one comes and goes", 2, 0)
	problems = []admin.Problem{{Code: "store"}}
	look(1)
	problems = nil
	look(meterShort)
	count("it came again", 2, 0)
	look(1)
	count("it is over", 2, 1)
	warnings = nil
	look(100)
	count("both are", 2, 2)
}
