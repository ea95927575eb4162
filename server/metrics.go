package server

import (
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	runtimemetrics "runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgechat/metrics"
	"edgechat/refusal"
	"edgechat/ws"
)

// forwarded are headers by which a proxy says that somebody else asks.
var forwarded = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"}

// mayScrape is the guard of /metrics where everyone can connect: whoever asks is on this machine, and is no proxy
// nor a web page that has made a name of its own stand for it. A token with a right to metrics would
// be looked for here.
func (s *Server) mayScrape(r *ws.Request) error {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	local := err == nil && peer.Addr().Unmap().IsLoopback() && isLocalHost(r.Host)
	for _, h := range forwarded {
		local = local && r.Header.Get(h) == ""
	}
	if !local {
		return refusal.New(refusal.Forbidden, "metrics are for this machine, at http://localhost; --metrics-listen opens them elsewhere")
	}
	return nil
}

// isLocalHost reports whether a Host header is this machine for itself.
func isLocalHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]") // an IPv6 address without a port
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (s *Server) metrics(w http.ResponseWriter, _ *ws.Request) error {
	w.Header().Set("Content-Type", metrics.ContentType)
	w.Header().Set("Cache-Control", "no-store")
	_ = s.writeMetrics(w) // the peer is gone if it fails
	return nil
}

// writeMetrics writes all counters. Each is explained where it is counted: in the Stats of its package.
func (s *Server) writeMetrics(out io.Writer) error {
	all := s.Stats()
	w := metrics.NewWriter(out, "edgechat_")

	w.Gauge("build_info", "A constant 1, with the version.")
	w.Sample(1, "version", s.cfg.Version, "go", runtime.Version())
	w.Gauge("uptime_seconds", "Time since the start.", time.Since(s.began).Seconds())

	n := &all.WS
	w.Gauge("connections", "Connections that are open, by kind; waiting ones have said nothing yet.")
	w.Sample(float64(n.Open), "kind", "websocket")
	w.Sample(float64(s.requests.held()), "kind", "http")
	w.Sample(float64(n.Waiting), "kind", "waiting")
	w.Counter("websockets_accepted_total", "WebSockets that were opened.", n.Accepted)
	w.Counter("websockets_closed_total", "WebSockets that ended, by close code; 1006 is none, other is one that clients choose.")
	for _, code := range slices.Sorted(maps.Keys(n.ClosedBy)) {
		label := "other"
		if code > 0 {
			label = strconv.Itoa(int(code))
		}
		w.Sample(float64(n.ClosedBy[code]), "code", label)
	}
	w.Counter("requests_refused_total", "Requests and handshakes that were refused, by reason.")
	for _, code := range slices.Sorted(maps.Keys(n.RefusedBy)) {
		w.Sample(float64(n.RefusedBy[code]), "reason", string(code))
	}
	w.Counter("frames_rejected_total", "Frames of clients that were answered with an error, by reason.")
	for _, code := range slices.Sorted(maps.Keys(all.Chat.Rejected)) {
		w.Sample(float64(all.Chat.Rejected[code]), "reason", string(code))
	}
	w.Counter("limited_total", "Messages, requests and connections that were refused or ended by a limit, by its name.")
	l, wl := &all.Chat.Limits, &n.Limits
	for _, c := range []struct {
		limit string
		n     uint64
	}{
		{"messages", l.Messages}, {"bytes", l.Bytes}, {"joins", l.Joins}, {"new_rooms", l.NewRooms}, {"failures", l.Failures},
		{"histories", l.Histories}, {"over", l.Over}, {"invalid", l.Invalid}, {"rooms_per_connection", all.Chat.TooManyRooms}, {"members", all.Hub.Full},
		{"connections", wl.Connections}, {"connections_per_address", wl.PerAddress}, {"http", wl.Plain}, {"http_per_address", wl.PlainPerAddress}, {"frames", wl.Frames},
	} {
		w.Sample(float64(c.n), "limit", c.limit)
	}
	m := &all.Chat.Moderation
	w.Gauge("moderation_rules", "Bans, mutes and rules of rooms that are in force, by kind.")
	for _, kind := range slices.Sorted(maps.Keys(m.Rules)) {
		w.Sample(float64(m.Rules[kind]), "kind", string(kind))
	}
	w.Counter("moderation_acts_total", "What moderators did, by act.")
	for _, verb := range slices.Sorted(maps.Keys(m.Acts)) {
		w.Sample(float64(m.Acts[verb]), "act", string(verb))
	}
	w.Counter("moderation_refusals_total", "Requests and frames that were refused by what moderators decided, by reason.")
	for _, code := range slices.Sorted(maps.Keys(m.Refused)) {
		w.Sample(float64(m.Refused[code]), "reason", string(code))
	}
	w.Counter("moderation_write_failures_total", "Times that the file of rules could not be written.", m.Failed)
	w.Counter("slow_consumers_total", "Connections closed since they took too little of what was pending.", n.Slow)
	w.Counter("silent_connections_total", "Connections dropped after two ping intervals of silence.", n.Silent)
	w.Counter("stalled_messages_total", "Connections closed since a message took too long to arrive.", n.Stalled)
	w.Counter("protocol_violations_total", "Connections closed for frames against RFC 6455 or over a limit.", n.Violated)
	w.Counter("connections_turned_away_total", "Connections that were not taken since all descriptors but a reserve are in use.", n.Crowded)
	w.Counter("accept_errors_total", "Times that no connection could be accepted.", n.AcceptErrors)
	w.Counter("panics_total", "Handlers that panicked.", n.Panics)
	w.Counter("loop_put_off_total", "Times that a connection or a listener had more than its share of a turn of an event loop.", n.PutOff)
	w.Counter("loop_slices_total", "Times that a walk went on in a later turn.", n.Slices)
	w.Counter("loop_slow_turns_total", "Turns of an event loop that took longer than 50 ms.", n.SlowTurns)
	w.Counter("loop_writes_total", "System calls with which event loops wrote.", n.Writes)

	h := &all.Hub
	w.Gauge("rooms", "Rooms that somebody is in.", float64(h.Rooms))
	w.Gauge("members", "Members of all rooms, by whether others hear of them.")
	w.Sample(float64(h.Members), "announced", "true")
	w.Sample(float64(h.Quiet), "announced", "false")
	w.Counter("messages_published_total", "Messages that came in, by what brought them.")
	w.Sample(float64(h.Published-min(h.Posted, h.Published)), "via", "websocket")
	w.Sample(float64(h.Posted), "via", "http")
	w.Counter("messages_delivered_total", "Messages that members have taken, those of replays included.", h.Delivered)
	w.Counter("member_writes_total", "Writes with which members took them.", h.Writes)
	w.Counter("joins_total", "Joins of rooms.", h.Joins)
	w.Counter("recoveries_total", "Joins from a message on, by whether nothing was missing after it.")
	w.Sample(float64(h.Recovered), "complete", "true")
	w.Sample(float64(h.Gaps), "complete", "false")
	w.Counter("members_lagged_total", "Times that a member fell behind what the room holds and went on from the history.", h.Lagged)
	w.Counter("members_lost_total", "Members closed since the history no longer had what they missed.", h.Lost)
	w.Counter("publishers_slowed_total", "Times that publishers had to wait for those who read in their room.", h.Slowed)
	w.Counter("histories_read_total", "Histories that were read over HTTP.", h.Histories)
	w.Counter("histories_refused_total", "Histories that were refused since too many were being read.", h.Busy)
	w.Gauge("replay_bytes", "Frames from the history that members which are behind have not taken.", float64(h.Pages))
	w.Histogram("delivery_seconds", "From when a message got its number until the walk ended in which members had it written.", h.Delays)

	st := &all.Store
	w.Gauge("store_degraded", "1 while messages are in memory alone.", number(s.store.Ready() != nil))
	w.Gauge("store_volatile", "1 if nothing that is written survives a power cut, or the history cannot be written.", number(s.store.Warning() != nil))
	w.Gauge("store_bytes", "What the buffer holds, as --history-bytes counts.", float64(st.Bytes))
	w.Gauge("store_rooms", "Rooms that are remembered.", float64(st.Rooms))
	w.Gauge("store_pending_messages", "Messages that are not on the card yet.", float64(st.Pending))
	w.Gauge("store_pending_bytes", "Bytes of these.", float64(st.PendingBytes))
	w.Gauge("store_receipts_waiting", "Acks that wait for the card.", float64(st.Waiting))
	w.Gauge("store_log_messages", "Messages that are in the log and not in the history.", float64(st.Recent))
	w.Counter("store_messages_written_total", "Messages that were committed.", st.Written)
	w.Counter("store_commits_total", "Commits, each a write and a flush of the log.", st.Commits)
	w.Counter("store_commit_failures_total", "Commits that failed.", st.Failures)
	w.Counter("store_checkpoints_total", "Transactions that put messages into the history.", st.Folds)
	w.Counter("store_checkpoint_failures_total", "Of these, those that failed.", st.FoldFailures)
	w.Counter("store_flushes_total", "Flushes of the card that were asked for: one for a commit, two for a transaction of the history.", st.Commits+2*st.Folds)
	w.Counter("store_written_bytes_total", "Bytes written, as the store counts them, by file.")
	w.Sample(float64(st.LogBytes), "file", "log")
	w.Sample(float64(st.FoldBytes), "file", "history")
	w.Counter("disk_written_bytes_total", "Bytes that the kernel was given for disks by this process; 0 if it does not say.", kernelWritten())
	w.Counter("store_messages_lost_total", "Messages that were kept and could not be read again.", st.Lost)
	w.Counter("store_messages_trimmed_total", "Messages that made room for newer ones.", st.Trimmed)
	w.Counter("store_duplicates_total", "Messages that were there already, by their key.", st.Duplicates)
	w.Counter("store_late_reads_total", "Reads that were given up since the card did not answer.", st.Late)
	w.Counter("store_salvages_total", "Times that a damaged file was put aside.", st.Salvages)
	w.Histogram("commit_seconds", "How long commits took.", st.CommitTimes)

	mem := readMemory()
	w.Gauge("resident_memory_bytes", "Memory that the process takes; 0 if the kernel does not say.", float64(residentBytes()))
	w.Gauge("heap_bytes", "Memory of the objects on the heap.", float64(mem.heap))
	w.Gauge("memory_limit_bytes", "GOMEMLIMIT, the soft limit of what Go's runtime holds; 0 is none.", float64(mem.limit))
	w.Counter("gc_cycles_total", "Garbage collections.", mem.cycles)
	w.Gauge("goroutines", "Goroutines.", float64(runtime.NumGoroutine()))
	w.Gauge("descriptors", "Descriptors that are open.", float64(openDescriptors()))
	w.Gauge("descriptors_limit", "Descriptors that may be open.", float64(descriptorLimit()))
	w.Counter("log_lines_dropped_total", "Lines of the log that nobody read fast enough.", s.logDropped())
	return w.Flush()
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func (s *Server) logDropped() uint64 {
	if s.cfg.LogDropped == nil {
		return 0
	}
	return s.cfg.LogDropped()
}

type memory struct{ heap, limit, cycles uint64 }

// readMemory asks Go's runtime, without stopping it as runtime.ReadMemStats would.
func readMemory() memory {
	samples := []runtimemetrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/gomemlimit:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	runtimemetrics.Read(samples)
	m := memory{samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64()}
	if m.limit >= 1<<62 {
		m.limit = 0
	}
	return m
}
