package server

import (
	"context"
	"time"

	"edgechat/metrics"
)

const (
	meterEvery  = 10 * time.Second
	meterShort  = 6 // samples that rates are of: a minute
	meterHourly = 360
	meterDay    = 24 // samples an hour apart
)

// A meter remembers what the counters were, for what is said of the last minute and the last day. All by
// the monotonic clock: a board may not know the time.
type meter struct {
	began  sample
	minute []sample // oldest first, meterEvery apart
	day    []sample // an hour apart
	ticks  int
}

// A sample is the counters at one moment.
type sample struct {
	at                   time.Time
	published, delivered uint64
	delivery, commit     metrics.Durations
	kernel, files        uint64 // bytes written: by the process, as its kernel counts, and by the store
	troubles             troubles
}

// sample reads the counters.
func (s *Server) sample() sample {
	hub, st := s.hub.Stats(), s.history().Stats()
	return sample{
		time.Now(), hub.Published, hub.Delivered, hub.Delays, st.CommitTimes, kernelWritten(), st.LogBytes + st.FoldBytes,
		readTroubles(s.router.Stats(), hub, st, s.chat.Stats()),
	}
}

// writtenSince returns how many bytes were written since before. The kernel counts more, such as folders, and less where a page
// is written again before it is on the card.
func (now *sample) writtenSince(before *sample) uint64 {
	return max(now.kernel-min(before.kernel, now.kernel), now.files-min(before.files, now.files))
}

// measure takes samples until ctx ends.
func (s *Server) measure(ctx context.Context) {
	ticker := time.NewTicker(meterEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		s.tick()
	}
}

// tick takes a sample, looks what has gone wrong lately, and logs what has begun to be wrong.
func (s *Server) tick() {
	now := s.sample()
	s.meterMu.Lock()
	s.meter.add(now)
	minute, day := s.meter.before()
	s.meterMu.Unlock()
	lately := trends(now, minute, day)
	s.lately.Store(&lately)
	s.told.tell(s.log, s.problems)
}

func (m *meter) add(now sample) {
	m.minute = keep(m.minute, now, meterShort)
	if m.ticks++; m.ticks%meterHourly == 0 {
		m.day = keep(m.day, now, meterDay)
	}
}

// keep appends to at most n samples.
func keep(list []sample, now sample, n int) []sample {
	if len(list) == n {
		copy(list, list[1:])
		list = list[:n-1]
	}
	return append(list, now)
}

// before returns what to compare with for the last minute, and for the last day.
func (m *meter) before() (minute, day sample) {
	minute, day = m.began, m.began
	if len(m.minute) == meterShort {
		minute = m.minute[0]
	}
	if len(m.day) == meterDay {
		day = m.day[0]
	}
	return minute, day
}
