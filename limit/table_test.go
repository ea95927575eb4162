package limit

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// TestTable: each address has its own, and who waits is taken again.
func TestTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(Rate{N: 5, Burst: 20})
		for a := Addr(1); a <= 100; a++ {
			for range 20 {
				if table.Wait(a, 1) != 0 || table.Take(a, 1) != 0 {
					t.Fatalf("%d has no burst of its own", a)
				}
			}
			if table.Wait(a, 1) != 200*time.Millisecond || table.Take(a, 1) != 200*time.Millisecond {
				t.Fatalf("%d may have more than its burst", a)
			}
		}
		time.Sleep(200 * time.Millisecond)
		if table.Take(50, 1) != 0 || table.Take(50, 1) == 0 {
			t.Error("not one more after its time")
		}
		for range 1000 {
			if table.Take(Exempt, 1) != 0 || table.Wait(Exempt, 1) != 0 {
				t.Fatal("who is exempt is not")
			}
		}
		off := NewTable(Rate{})
		for range 1000 {
			if off.Take(1, 1) != 0 || off.Wait(1, 1) != 0 {
				t.Fatal("a table of no limit has one")
			}
		}
	})
}

// TestManyAddresses: a million addresses take no more memory than a few, and who has taken most is known
// for longer than they are.
func TestManyAddresses(t *testing.T) {
	table := NewTable(Rate{N: 1, Per: time.Minute, Burst: 30})
	const bad = Addr(1 << 40)
	for table.Take(bad, 1) == 0 {
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for a := Addr(1); a <= 1_000_000; a++ {
		if table.Take(a, 1) != 0 {
			t.Fatalf("%d is refused for what others did", a)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 { // a table that grew would take 16 MB
		t.Errorf("%d bytes for a million addresses", n)
	}
	if table.Wait(bad, 1) == 0 {
		t.Error("who was refused is forgotten for those who were not")
	}
}
