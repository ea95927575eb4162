package postgres

import (
	"fmt"
	"testing"
	"time"

	"edgechat/cluster/clustertest"
)

// TestSnapshotReader: while somebody holds a snapshot, as a dump or a forgotten session does, no dead row can be removed. An append leaves none behind,
// so that none has to be passed over by the next: what it reads does not grow with what was said meanwhile.
func TestSnapshotReader(t *testing.T) {
	t.Parallel()
	e := share(t).open(t)
	defer e.Close()
	st, err := e.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	clustertest.FirstEpoch(t, e, st)
	c, err := e.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp(c)
	if _, err := c.Exec(t.Context(), e.in("begin isolation level repeatable read; select * from S.meta")).ReadAll(); err != nil {
		t.Fatal(err)
	}
	const appends = 1000
	for i := range appends {
		if out, err := e.Append(t.Context(), st.Run, 0, clustertest.Items("den", fmt.Sprint(i), "")); err != nil || out[0].Offset != uint64(i+1) {
			t.Fatal(out, err)
		}
	}
	found, err := e.exec("select pg_relation_size('S.meta'), pg_relation_size('S.room'), pg_relation_size('S.run')")
	if err != nil {
		t.Fatal(err)
	}
	for i, table := range []string{"meta", "room", "run"} {
		if size := number(found[0][i]); size > 8192 {
			t.Errorf("after %d appends %s has %d bytes", appends, table, size)
		}
	}
}

// TestTrim: the log drops what is older than Keep as fast as it grows, and offsets of rooms that it has nothing of any more go on.
func TestTrim(t *testing.T) {
	t.Parallel()
	s := share(t)
	e := s.open(t)
	defer e.Close()
	st, err := e.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	clustertest.FirstEpoch(t, e, st)
	const rows = 3*trimPart + 500
	if _, err := e.exec(fmt.Sprintf("insert into S.log select (1::bigint << 40) | i, 'room' || i %% 7, (i + 6) / 7, null, 'x'::bytea from generate_series(1, %d) i", rows)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Append(t.Context(), st.Run, 0, clustertest.Items("last", "x", "")); err != nil {
		t.Fatal(err)
	}
	before, err := e.Heads(t.Context())
	if err != nil || len(before) != 8 || before["room1"] != (rows+6)/7 {
		t.Fatal(before, err)
	}
	e.cfg.Keep, e.trimmed = 1, time.Time{} // a minute passes
	for range 4 {
		if _, err := e.State(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var left [][][]byte
	if left, err = e.exec("select count(*) from S.log"); err != nil || number(left[0][0]) != 1 {
		t.Errorf("%s entries are left, %v", left, err)
	}
	after, err := e.Heads(t.Context())
	if err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("heads %v, were %v: %v", after, before, err)
	}
	out, err := e.Append(t.Context(), st.Run, 0, clustertest.Items("room1", "x", ""))
	if err != nil || out[0].Offset != before["room1"]+1 {
		t.Errorf("%+v behind %d: %v", out, before["room1"], err)
	}
}
