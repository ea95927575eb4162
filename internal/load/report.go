package load

import (
	"cmp"
	"encoding/json"
	"os"
	"sort"
	"sync/atomic"
	"time"
)

// A Report is what a run found. In JSON, times have their unit in the name.
type Report struct {
	Load Load `json:"load"`

	Clients      int      `json:"clients"`      // that were asked for
	Connected    int      `json:"connected"`    // in their room before publishing began
	Refused      []Reason `json:"refused"`      // clients that did not get that far, by reason
	Disconnected []Reason `json:"disconnected"` // clients that the server cut off later
	Errors       []Reason `json:"errors"`       // error frames of the protocol
	Ended        bool     `json:"ended_early"`  // the context ended before the load did
	Stuck        bool     `json:"stuck"`        // a closed loop waited in vain for a message to reach all

	ConnectSeconds float64 `json:"connect_s"`
	PublishSeconds float64 `json:"publish_s"`
	Published      int64   `json:"published"`  // messages that were handed to the kernel
	Unsent         int64   `json:"unsent"`     // messages that were due and could not be sent in time
	Expected       int64   `json:"expected"`   // deliveries: a message to each member of its room
	Delivered      int64   `json:"delivered"`  // of those, whole
	Lost           int64   `json:"lost"`       // of those, not delivered, or damaged
	Duplicated     int64   `json:"duplicated"` // deliveries beside those expected
	Reordered      int64   `json:"reordered"`  // deliveries that came after a later one
	Damaged        int64   `json:"damaged"`    // deliveries that are not what was sent
	Events         int64   `json:"events"`     // joined, left and typing

	PerSecond     float64 `json:"published_per_s"` // while publishing
	DeliveriesPer float64 `json:"delivered_per_s"` // while publishing

	Latency  Latency  `json:"latency"`   // from the time at which a message was due to its arrival at a client
	Last     Latency  `json:"last"`      // the same, to its arrival at the last member of its room; not in a closed loop
	SendLate Latency  `json:"send_late"` // share of the load itself: from that time to the write; not in a closed loop
	Buckets  []Bucket `json:"histogram"` // of Latency, by powers of two

	Server Server `json:"server"`
	// LoadCPU is the processor time that the load itself took; 0 without /proc.
	LoadCPU float64 `json:"load_cpu_s"`

	run         *run
	server      *process
	self        *process
	start       time.Time // of the phase under way
	cpu         time.Duration
	selfCPU     time.Duration
	atPublish   int64
	baseline    int64 // bytes of the server before the clients
	baseClients int
}

// Load is what was asked for.
type Load struct {
	URL        string  `json:"url"`
	Nodes      int     `json:"nodes"` // that clients were spread over
	Rooms      int     `json:"rooms"`
	Publishers int     `json:"publishers_per_room"`
	Rate       float64 `json:"rate_per_room_per_s"` // 0 in a closed loop
	Seconds    float64 `json:"duration_s"`
	Size       int     `json:"content_bytes"`
	Format     string  `json:"format"`
	Window     int     `json:"window"` // messages in flight for each publisher in a closed loop; else 0
}

// A Reason is how often something happened for one reason.
type Reason struct {
	Count  int    `json:"count"`
	Reason string `json:"reason"`
}

// Latency is how a time is distributed; a percentile is at most 3.2 % too high.
type Latency struct {
	Count                    int64
	P50, P90, P99, P999, Max time.Duration
}

// MarshalJSON writes times in microseconds.
func (l Latency) MarshalJSON() ([]byte, error) {
	us := func(d time.Duration) float64 { return float64(d.Round(100*time.Nanosecond)) / 1e3 }
	return json.Marshal(struct {
		Count int64   `json:"count"`
		P50   float64 `json:"p50_us"`
		P90   float64 `json:"p90_us"`
		P99   float64 `json:"p99_us"`
		P999  float64 `json:"p99_9_us"`
		Max   float64 `json:"max_us"`
	}{l.Count, us(l.P50), us(l.P90), us(l.P99), us(l.P999), us(l.Max)})
}

// A Bucket counts times from From on, below To.
type Bucket struct {
	From  time.Duration `json:"from_ns"`
	To    time.Duration `json:"to_ns"`
	Count int64         `json:"count"`
}

// Server is what was seen of the server's process.
type Server struct {
	Unknown string `json:"unknown"` // why nothing is known; "" if something is
	Pid     int    `json:"pid"`
	Name    string `json:"name"`

	RSS         int64   `json:"rss_bytes"`         // resident, after publishing
	RSSPeak     int64   `json:"rss_peak_bytes"`    // since the process began
	PerConn     int64   `json:"bytes_per_conn"`    // growth of the resident memory by the clients that connected; an estimate
	ConnectCPU  float64 `json:"connect_cpu_s"`     // processor time while the clients connected and heard of each other
	CPU         float64 `json:"cpu_s"`             // from the first message to the last delivery
	Cores       float64 `json:"cores"`             // CPU by the time that took
	PerDelivery float64 `json:"cpu_s_per_million"` // processor seconds for a million deliveries; 0 if there were none
}

// OK reports whether the server held the load: every client got in and stayed, and
// got everything that was published, once, in order and whole.
func (rep *Report) OK() bool {
	return len(rep.Refused) == 0 && len(rep.Disconnected) == 0 && len(rep.Errors) == 0 && !rep.Stuck &&
		rep.Lost == 0 && rep.Duplicated == 0 && rep.Reordered == 0 && rep.Damaged == 0
}

// begin is called when one client is connected.
func (rep *Report) begin() {
	r := rep.run
	cfg := r.cfg
	rep.Clients = cfg.Clients
	rep.Load = Load{URL: cfg.URL, Nodes: len(r.nodes), Rooms: cfg.Rooms, Publishers: cfg.Publishers, Rate: cfg.Rate,
		Seconds: cfg.Duration.Seconds(), Size: cfg.Size, Format: "json"}
	if cfg.MsgPack {
		rep.Load.Format = "msgpack"
	}
	if cfg.Saturate {
		rep.Load.Rate, rep.Load.Window = 0, cfg.Window
	}
	var err error
	if rep.server, err = serverProcess(r.nodes[0].target, cfg.Pid); err != nil {
		rep.Server.Unknown = err.Error()
	} else {
		rep.Server.Pid, rep.Server.Name = rep.server.pid, rep.server.name
		rep.baseline, _, _ = rep.server.rss()
	}
	rep.self, _ = openProcess(os.Getpid())
	rep.lap()
	rep.baseClients = int(r.connected.Load())
}

// lap returns the time since the last one, and the processor time that the server took.
func (rep *Report) lap() (elapsed time.Duration, cpu time.Duration) {
	now := time.Now()
	elapsed, rep.start = now.Sub(rep.start), now
	if rep.server != nil {
		if total, err := rep.server.cpu(); err == nil {
			cpu, rep.cpu = total-rep.cpu, total
		}
	}
	return elapsed, cpu
}

// connected is called when all clients are in their rooms or refused.
func (rep *Report) connected() {
	rep.Connected = int(rep.run.connected.Load())
	rep.ConnectSeconds = time.Since(rep.start).Seconds()
}

// settled is called before the first message.
func (rep *Report) settled() {
	if rep.server != nil {
		if now, _, err := rep.server.rss(); err == nil && rep.Connected > rep.baseClients {
			rep.Server.PerConn = max(now-rep.baseline, 0) / int64(rep.Connected-rep.baseClients)
		}
	}
	_, cpu := rep.lap()
	rep.Server.ConnectCPU = cpu.Seconds()
	if rep.self != nil {
		rep.selfCPU, _ = rep.self.cpu()
	}
}

// published is called when the publishers are done.
func (rep *Report) published() {
	rep.atPublish = rep.run.delivered()
	rep.PublishSeconds = time.Since(rep.start).Seconds()
}

// drained is called when nothing more comes.
func (rep *Report) drained() {
	r := rep.run
	if rep.PublishSeconds > 0 {
		rep.PerSecond = float64(r.published()) / rep.PublishSeconds
		rep.DeliveriesPer = float64(rep.atPublish) / rep.PublishSeconds
		if rep.self != nil {
			total, _ := rep.self.cpu()
			rep.LoadCPU = (total - rep.selfCPU).Seconds()
		}
	}
	if rep.server == nil {
		return
	}
	elapsed, cpu := rep.lap()
	rep.Server.RSS, rep.Server.RSSPeak, _ = rep.server.rss()
	if rep.PublishSeconds > 0 {
		rep.Server.CPU = cpu.Seconds()
		rep.Server.Cores = cpu.Seconds() / elapsed.Seconds()
		if n := r.delivered(); n > 0 {
			rep.Server.PerDelivery = cpu.Seconds() / float64(n) * 1e6
		}
	}
}

// end is called when all readers have ended.
func (rep *Report) end(early bool) {
	r := rep.run
	count := r.sum
	rep.Ended, rep.Stuck = early, r.stuck.Load()
	rep.Published, rep.Unsent = r.published(), r.unsent.Load()
	rep.Delivered = r.delivered()
	rep.Duplicated = count(func(s *shard) *atomic.Int64 { return &s.duplicated })
	rep.Reordered = count(func(s *shard) *atomic.Int64 { return &s.reordered })
	rep.Damaged = count(func(s *shard) *atomic.Int64 { return &s.damaged })
	rep.Events = count(func(s *shard) *atomic.Int64 { return &s.events })
	for _, room := range r.rooms {
		for _, p := range room.publishers {
			sent := p.sent.Load()
			rep.Expected += sent * int64(len(room.members))
			for _, c := range room.members {
				rep.Lost += c.tracker.lost(p.index, sent)
			}
		}
	}
	r.note(func(n *reasons) {
		rep.Refused, rep.Disconnected, rep.Errors = n.refused.list(), n.disconnected.list(), n.errors.list()
	})
	var latency, last, late tally
	for i := range r.shards {
		latency.add(&r.shards[i].latency)
		last.add(&r.shards[i].last)
	}
	late.add(&r.late)
	rep.Latency, rep.Last, rep.SendLate, rep.Buckets = latency.summary(), last.summary(), late.summary(), latency.octave()
}

func (t *tally) summary() Latency {
	return Latency{t.total, t.percentile(50), t.percentile(90), t.percentile(99), t.percentile(99.9), time.Duration(t.most)}
}

// reasons are the reasons of a run.
type reasons struct{ refused, disconnected, errors reasonCount }

// A reasonCount counts by text. Texts may hold what differs in each, so there are at
// most maxReasons of them.
type reasonCount map[string]int

const (
	maxReasons  = 20
	otherReason = "other reasons"
)

func (n *reasonCount) add(text string) {
	if *n == nil {
		*n = reasonCount{}
	}
	if _, ok := (*n)[text]; !ok && len(*n) >= maxReasons {
		text = otherReason
	}
	(*n)[text]++
}

// list returns the reasons, the most frequent first; never nil, for JSON.
func (n reasonCount) list() []Reason {
	list := make([]Reason, 0, len(n))
	for text, count := range n {
		list = append(list, Reason{count, text})
	}
	sort.Slice(list, func(i, j int) bool {
		return cmp.Or(cmp.Compare(list[j].Count, list[i].Count), cmp.Compare(list[i].Reason, list[j].Reason)) < 0
	})
	return list
}

// note lets change look at or change the reasons.
func (r *run) note(change func(*reasons)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.reasons)
}
