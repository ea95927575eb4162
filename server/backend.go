package server

import (
	"cmp"
	"context"
	"io"
	"os"
	"runtime"
	"sort"
	"strings"
	"time"

	"edgechat/admin"
	"edgechat/auth"
	"edgechat/chat"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/metrics"
	"edgechat/moderation"
)

// maxPeers is how many addresses a status names.
const maxPeers = 8

// leastForYear is how long must have been measured to say what a year will be.
const leastForYear = 10 * time.Minute

// A backend is a Server as the admin socket sees it.
type backend struct{ *Server }

var _ admin.Backend = backend{}

func (b backend) WriteMetrics(w io.Writer) error  { return b.writeMetrics(w) }
func (b backend) Reload() (admin.Reloaded, error) { return b.reload() }

// operatorName is whom a room sees delete a message, if that is asked for at the admin socket.
const operatorName = "admin"

func (b backend) Moderate(ctx context.Context, by string, a moderation.Act) (moderation.Done, error) {
	return b.chat.Moderate(ctx, chat.Moderator{By: by, Name: operatorName}, a)
}
func (b backend) Rules(room string) []moderation.Rule { return b.chat.Rules(room) }

// access says who may read and write.
func (s *Server) access() string {
	anonymous := s.cfg.Anonymous
	if anonymous == auth.Unset {
		anonymous = auth.None
		if !s.hasTokens() {
			anonymous = auth.Write
		}
	}
	switch {
	case anonymous == auth.Write:
		return "everyone who can connect may read and write"
	case anonymous == auth.Read && !s.hasTokens():
		return "everyone who can connect may read; nobody may write, since there are no tokens"
	case anonymous == auth.Read:
		return "everyone who can connect may read; who has a token may do what it allows"
	case !s.hasTokens():
		return "nobody may do anything: there are no tokens"
	}
	return "who has a token may do what it allows, and nobody else anything"
}

// hasTokens reports whether tokens are looked at.
func (s *Server) hasTokens() bool { return s.tokens != nil || s.keys != nil }

func (s *Server) tokenCount() int {
	if s.tokens == nil {
		return 0
	}
	return s.tokens.Len()
}

// Status takes no lock for longer than its counters do.
func (b backend) Status() admin.Status {
	s := b.Server
	all, now := s.Stats(), s.sample()
	s.meterMu.Lock()
	minute, day := s.meter.before()
	began := s.meter.began
	s.meterMu.Unlock()

	st := admin.Status{
		Version: s.cfg.Version, PID: os.Getpid(), Started: s.began.UTC(), Uptime: time.Since(s.began).Seconds(), State: "ok",
		Access: s.access(), Rooms: all.Hub.Rooms, Members: all.Hub.Members, Quiet: all.Hub.Quiet,
	}
	if st.Problems, st.Warnings = s.problems(); len(st.Problems) > 0 {
		st.State = "degraded"
		if st.Problems[0].Code == "draining" {
			st.State = "draining"
		}
	}
	for _, l := range s.listeners {
		st.Listeners = append(st.Listeners, place(l.Addr()))
	}
	st.Connections = admin.Connections{WebSocket: all.WS.Open, Streams: all.WS.Feeds, HTTP: s.requests.held(), Waiting: all.WS.Waiting}
	peers := s.router.Peers()
	s.requests.peers(peers)
	st.Connections.Addresses = len(peers)
	for addr, n := range peers {
		text := ""
		if addr.IsValid() {
			text = addr.String()
		}
		st.Connections.Peers = append(st.Connections.Peers, admin.Peer{Address: text, Connections: n})
	}
	busiest := st.Connections.Peers
	sort.Slice(busiest, func(i, j int) bool {
		a, b := &busiest[i], &busiest[j]
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Address, b.Address)) < 0
	})
	st.Connections.Peers = busiest[:min(len(busiest), maxPeers)]

	over := max(now.at.Sub(minute.at).Seconds(), 1)
	st.Messages = admin.Messages{
		Published: all.Hub.Published, Delivered: all.Hub.Delivered, Recovered: all.Hub.Recovered, Gaps: all.Hub.Gaps, Slow: all.WS.Slow,
		PublishedRate: float64(now.published-minute.published) / over, DeliveredRate: float64(now.delivered-minute.delivered) / over,
	}
	st.Delivery, st.Commit = latency(now, minute, began, func(s sample) metrics.Durations { return s.delivery }), latency(now, minute, began, func(s sample) metrics.Durations { return s.commit })

	medium, free := medium(s.cfg.Data)
	st.Store = admin.Store{
		Path: s.cfg.Data, Durable: s.history().Ready() == nil && s.history().Warning() == nil, Medium: medium, Free: free, Epoch: all.Store.Epoch, Rooms: all.Store.Rooms,
		Bytes: all.Store.Bytes, Pending: all.Store.Pending, Waiting: all.Store.Waiting, Lost: all.Store.Lost, Failures: all.Store.Failures,
		Start: string(all.Store.Start), Backups: s.backups.made.Load(), BackupsFailed: s.backups.failed.Load(),
	}
	if ago, ok := s.sinceBackup(); ok {
		st.Store.Backup = &ago
	}
	st.Cluster = s.clusterStatus()
	st.Refused = refused(&all)
	st.Written = admin.Written{
		Log: all.Store.LogBytes, History: all.Store.FoldBytes, Kernel: kernelWritten(), Flushes: all.Store.Commits + 2*all.Store.Folds,
		Day: now.writtenSince(&day), Over: max(now.at.Sub(day.at).Seconds(), 1),
	}
	if st.Written.Over >= leastForYear.Seconds() {
		st.Written.Year = uint64(float64(st.Written.Day) / st.Written.Over * (365 * 24 * time.Hour).Seconds())
	}
	mem := readMemory()
	st.Process = admin.Process{
		Resident: residentBytes(), Heap: mem.heap, MemoryLimit: int64(mem.limit), Goroutines: runtime.NumGoroutine(),
		Descriptors: openDescriptors(), DescriptorLimit: descriptorLimit(),
	}
	st.Log = admin.Log{Level: strings.ToLower(s.cfg.Level.Level().String()), Dropped: s.logDropped()}
	return st
}

// latency is of the time since minute, or since began if there was nothing in that.
func latency(now, minute, began sample, of func(sample) metrics.Durations) admin.Latency {
	d := of(now).Since(of(minute))
	if d.Count() == 0 {
		d = of(now).Since(of(began))
	}
	return admin.Latency{Count: d.Count(), P50: d.Quantile(0.5).Seconds(), P99: d.Quantile(0.99).Seconds()}
}

// Rooms looks twice.
func (b backend) Rooms(ctx context.Context, watch time.Duration) ([]admin.Room, error) {
	before := map[string]uint64{}
	began := time.Now()
	for _, r := range b.hub.States() {
		before[r.Name] = r.Head.Offset
	}
	select {
	case <-time.After(watch):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	states := b.hub.States()
	over := time.Since(began).Seconds()
	rooms := make([]admin.Room, 0, len(states))
	for _, state := range states {
		r := roomOf(state)
		if was, ok := before[r.Name]; ok && over > 0 {
			r.Rate = float64(state.Head.Offset-min(was, state.Head.Offset)) / over
		}
		rooms = append(rooms, r)
	}
	sort.Slice(rooms, func(i, j int) bool {
		a, b := &rooms[i], &rooms[j]
		return cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(b.Members+b.Quiet, a.Members+a.Quiet), cmp.Compare(a.Name, b.Name)) < 0
	})
	return rooms, nil
}

func roomOf(s hub.RoomState) admin.Room {
	return admin.Room{
		Name: s.Name, Members: s.Members, Quiet: s.Quiet, ID: idOf(s.Head), Messages: s.Head.Offset, Behind: s.Behind, Slowed: s.Slowed,
	}
}

func idOf(id codec.ID) string {
	if id.Offset == 0 {
		return ""
	}
	return id.String()
}

// Room returns one from near; one that nobody is in, but of which something is kept, too.
func (b backend) Room(name string) (admin.RoomDetail, bool) {
	state, live := b.hub.State(name)
	head, oldest := b.history().Head(name), b.history().Oldest(name)
	if !live && oldest == (codec.ID{}) {
		return admin.RoomDetail{}, false
	}
	if !live {
		state = hub.RoomState{Name: name, Head: head}
	}
	d := admin.RoomDetail{Room: roomOf(state), Live: live, Oldest: idOf(oldest), Held: state.Bytes}
	for _, m := range b.hub.Members(name) {
		d.Who = append(d.Who, admin.Member{Username: m.Username, Verified: m.Verified, Connections: m.Connections, Since: time.UnixMilli(m.Since).UTC()})
	}
	return d, true
}

// refused counts what clients were refused, by reason, and by limit.
func refused(all *Stats) (r admin.Refused) {
	r.Requests, r.Frames, r.Limits = map[string]uint64{}, map[string]uint64{}, map[string]uint64{}
	for code, n := range all.WS.RefusedBy {
		if n > 0 {
			r.Requests[string(code)] = n
		}
	}
	for code, n := range all.Chat.Rejected {
		if n > 0 {
			r.Frames[string(code)] = n
		}
	}
	for _, l := range limited(&look{Stats: *all}) {
		if n := l.value.(uint64); n > 0 {
			r.Limits[l.labels[1]] = n
		}
	}
	return r
}
