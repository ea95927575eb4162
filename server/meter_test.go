package server

import (
	"testing"
	"time"
)

// TestMeter: what is compared with is a minute and a day old, or the start until there is so much, and no more is kept.
func TestMeter(t *testing.T) {
	at := func(n int) time.Time { return time.Unix(0, 0).Add(time.Duration(n) * meterEvery) }
	m := meter{began: sample{at: at(0)}}
	for n := 1; n <= 40*meterHourly; n++ {
		m.add(sample{at: at(n)})
		minute, day := m.before()
		if want := at(max(0, n-meterShort+1)); n >= meterShort && minute.at != want || n < meterShort && minute.at != at(0) {
			t.Fatalf("sample %d: the minute began at %v, want %v", n, minute.at, want)
		}
		hours := n / meterHourly
		want := at(0)
		if hours >= meterDay {
			want = at((hours - meterDay + 1) * meterHourly)
		}
		if day.at != want {
			t.Fatalf("sample %d: the day began at %v, want %v", n, day.at, want)
		}
	}
	if len(m.minute) != meterShort || len(m.day) != meterDay {
		t.Errorf("%d and %d are kept", len(m.minute), len(m.day))
	}
}
