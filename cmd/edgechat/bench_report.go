package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"edgechat/internal/load"
)

// writeReport prints a report for people.
func writeReport(out io.Writer, rep *load.Report) error {
	var b bytes.Buffer
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	list := func(name string, reasons []load.Reason) {
		for _, x := range reasons {
			row(name, "%d: %s", x.Count, x.Reason)
		}
	}

	talk := fmt.Sprintf("%g messages/s a room", rep.Load.Rate)
	if rep.Load.Window > 0 {
		talk = fmt.Sprintf("%d messages in flight a publisher", rep.Load.Window)
	}
	server := rep.Load.URL
	if rep.Load.Nodes > 1 {
		server += fmt.Sprintf(" and %d other nodes", rep.Load.Nodes-1)
	}
	row("load", "%s, %d rooms, publishers %d a room, %s, %d bytes of %s", server, rep.Load.Rooms, rep.Load.Publishers, talk, rep.Load.Size, rep.Load.Format)
	row("connected", "%d of %d in %.1f s", rep.Connected, rep.Clients, rep.ConnectSeconds)
	list("refused", rep.Refused)
	list("cut off", rep.Disconnected)
	list("errors", rep.Errors)
	if rep.Ended {
		row("ended early", "after %.1f s of %.1f", rep.PublishSeconds, rep.Load.Seconds)
	}
	row("published", "%d in %.1f s, %.1f/s", rep.Published, rep.PublishSeconds, rep.PerSecond)
	if rep.Unsent > 0 {
		row("unsent", "%d were due and could not be sent in time", rep.Unsent)
	}
	row("delivered", "%d of %d, %.1f/s", rep.Delivered, rep.Expected, rep.DeliveriesPer)
	row("lost", "%d", rep.Lost)
	row("duplicated", "%d", rep.Duplicated)
	row("reordered", "%d", rep.Reordered)
	row("damaged", "%d", rep.Damaged)
	if rep.Latency.Count > 0 {
		writeLatency(&b, rep)
	}
	b.WriteByte('\n')
	if s := &rep.Server; s.Unknown != "" {
		row("server", "%s", s.Unknown)
	} else {
		row("server", "%s, process %d", s.Name, s.Pid)
		row("memory", "%s resident, %s at most, %s a connection", mib(s.RSS), mib(s.RSSPeak), kib(s.PerConn))
		text := fmt.Sprintf("%.2f s while connecting, %.2f s while publishing (%.0f %% of a core)", s.ConnectCPU, s.CPU, 100*s.Cores)
		if s.PerDelivery > 0 {
			text += fmt.Sprintf(", %.2f s for a million deliveries", s.PerDelivery)
		}
		row("CPU", "%s", text)
	}
	if rep.LoadCPU > 0 {
		row("CPU of bench", "%.2f s while publishing", rep.LoadCPU)
	}
	_, err := out.Write(b.Bytes())
	return err
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
func kib(n int64) string { return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10)) }

func writeLatency(b *bytes.Buffer, rep *load.Report) {
	from := "due"
	if rep.Load.Window > 0 {
		from = "sent"
	}
	l := rep.Latency
	fmt.Fprintf(b, "\nlatency, from when a message was %s to its arrival\n", from)
	fmt.Fprintf(b, "p50 %v, p90 %v, p99 %v, p99.9 %v, max %v\n", plain(l.P50), plain(l.P90), plain(l.P99), plain(l.P999), plain(l.Max))
	if last := rep.Last; last.Count > 0 {
		fmt.Fprintf(b, "to its arrival at the last of its room: p50 %v, p99 %v, max %v\n", plain(last.P50), plain(last.P99), plain(last.Max))
	}
	if late := rep.SendLate; late.Count > 0 {
		fmt.Fprintf(b, "of which bench itself was late: p50 %v, p99 %v, max %v\n", plain(late.P50), plain(late.P99), plain(late.Max))
	}
	b.WriteByte('\n')
	most := int64(1)
	for _, x := range rep.Buckets {
		most = max(most, x.Count)
	}
	const width = 50
	for _, x := range rep.Buckets {
		bar := int((x.Count*width + most - 1) / most) // what is there shows
		fmt.Fprintf(b, "%8v to %8v  %-*s %d\n", plain(x.From), plain(x.To), width, strings.Repeat("#", bar), x.Count)
	}
}

// plain prints a time with three digits: 1.23ms.
func plain(d time.Duration) string {
	unit := time.Nanosecond
	for _, u := range []time.Duration{time.Microsecond, time.Millisecond, time.Second} {
		if d >= u {
			unit = u
		}
	}
	for step := unit / 100; step <= unit && step > 0; step *= 10 {
		if r := d.Round(step); r < 1000*step {
			return r.String()
		}
	}
	return d.Round(unit).String()
}

// complaints are what makes a report not OK, in words.
func complaints(rep *load.Report) (list []string) {
	count := func(n int64, what string) {
		if n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, what))
		}
	}
	sum := func(reasons []load.Reason) (n int64) {
		for _, x := range reasons {
			n += int64(x.Count)
		}
		return n
	}
	count(sum(rep.Refused), "refused")
	count(sum(rep.Disconnected), "cut off")
	count(sum(rep.Errors), "error frames")
	count(rep.Lost, "lost")
	count(rep.Duplicated, "duplicated")
	count(rep.Reordered, "reordered")
	count(rep.Damaged, "damaged")
	if rep.Stuck {
		list = append(list, "a message never reached its whole room, which ended the closed loop")
	}
	return list
}

// benchLimits are the settings of the server that a load may run into, by what it says then.
var benchLimits = []struct{ says, setting string }{
	{"(--connections)", "connections"}, {"(--connections-per-address)", "connections-per-address"}, {"(--http-connections)", "http-connections"}, {"(--streams)", "streams"},
	{"(--http-per-address)", "http-per-address"}, {"more messages", "rate"}, {"far more was sent", "rate"}, {"more bytes", "byte-rate"},
	{"more frames", "frame-rate"}, {"more joins", "join-rate"}, {"more requests", "read-rate"}, {"more new rooms", "room-rate"}, {"room_full", "members-per-room"},
	{"tokens that are not valid", "token-failures"},
}

// limitsHint names the limits that were reached, if any was.
func limitsHint(reasons ...string) string {
	var flags []string
	for _, l := range benchLimits {
		for _, reason := range reasons {
			if flag := "--" + l.setting + " 0"; strings.Contains(reason, l.says) && !slices.Contains(flags, flag) {
				flags = append(flags, flag)
			}
		}
	}
	if flags == nil {
		return ""
	}
	return "these are limits of the server for one client, not of what it holds; it has none of them with: edgechat serve " + strings.Join(flags, " ")
}

// loadHint says what to try next.
func loadHint(rep *load.Report) string {
	var reasons []string
	for _, x := range slices.Concat(rep.Refused, rep.Disconnected, rep.Errors) {
		reasons = append(reasons, x.Reason)
	}
	if hint := limitsHint(reasons...); hint != "" {
		return hint
	}
	switch {
	case len(rep.Refused) > 0 || len(rep.Disconnected) > 0:
		return fmt.Sprintf("the reasons are above; to load only what it took: edgechat bench --clients %d", max(rep.Connected, 1))
	case len(rep.Errors) > 0:
		return "the reasons are above"
	}
	return "this should not happen at any load: keep the server's log, and report it"
}

// A progress is a line on a terminal that is written anew each second.
type progress struct {
	out io.Writer // nil if there is no terminal

	mu   sync.Mutex
	last load.Progress // guarded by mu
}

func newProgress(w io.Writer) *progress {
	p := new(progress)
	if f, ok := w.(*os.File); ok {
		if st, err := f.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
			p.out = w
		}
	}
	return p
}

// clearLine goes to the start of the line and erases it (ECMA-48: EL).
const clearLine = "\r\x1b[K"

func (p *progress) show(now load.Progress) {
	if p.out == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	seconds := (now.Elapsed - p.last.Elapsed).Seconds()
	fmt.Fprintf(p.out, "%s%3.0fs %s: %d clients, %.0f msg/s, %.0f delivered/s, %d lost", clearLine, now.Elapsed.Seconds(), now.Phase, now.Connected,
		float64(now.Published-p.last.Published)/seconds, float64(now.Delivered-p.last.Delivered)/seconds, now.Lost)
	p.last = now
}

func (p *progress) clear() {
	if p.out != nil {
		fmt.Fprint(p.out, clearLine)
	}
}
