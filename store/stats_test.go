package store

import "testing"

// TestTally: what is written is counted, by what was written, and each commit by its time.
func TestTally(t *testing.T) {
	s := open(t, Config{})
	const n = 5
	for range n {
		sayStored(t, s, "den", "hello", "")
	}
	st := s.Stats()
	if st.Commits < 1 || st.CommitTimes.Count() != st.Commits || st.CommitTimes.Sum() <= 0 || st.CommitTimes.Sum() > st.CommitTime {
		t.Errorf("%d commits, of which %d took %v; %v in all", st.Commits, st.CommitTimes.Count(), st.CommitTimes.Sum(), st.CommitTime)
	}
	if st.LogBytes < 4096*st.Commits || st.LogBytes%4096 != 0 || st.FoldBytes != 0 {
		t.Errorf("%d commits: %d bytes in the log, %d in the history", st.Commits, st.LogBytes, st.FoldBytes)
	}
	sayFolded(t, s, "den", "and the history", "")
	// A page of messages, of places, of the state, of their root, of what is free; and the meta page.
	if st = s.Stats(); st.Folds != 1 || st.FoldBytes < 3*pageSize || st.FoldBytes > 12*pageSize || st.FoldBytes%pageSize != 0 {
		t.Errorf("%d transactions have written %d bytes", st.Folds, st.FoldBytes)
	}
}
