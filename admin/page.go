package admin

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteTo writes s as one page for people.
func (s *Status) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	row := func(what, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", what, fmt.Sprintf(format, args...)) }
	row("edgechat", "%s, up %s, process %d", s.Version, Span(s.Uptime), s.PID)
	row("state", "%s", s.State)
	row("listens on", "%s", strings.Join(s.Listeners, ", "))
	row("access", "%s", s.Access)
	c := &s.Connections
	row("connections", "%d WebSocket, %d streams, %d HTTP, %d that have said nothing yet", c.WebSocket, c.Streams, c.HTTP, c.Waiting)
	if len(c.Peers) > 0 {
		var peers []string
		for _, p := range c.Peers {
			address := p.Address
			if address == "" {
				address = "unix sockets"
			}
			peers = append(peers, fmt.Sprintf("%s (%d)", address, p.Connections))
		}
		if more := c.Addresses - len(peers); more > 0 {
			peers = append(peers, fmt.Sprintf("and %d more", more))
		}
		row("  from", "%s", strings.Join(peers, ", "))
	}
	row("rooms", "%d, with %d members and %d quiet ones", s.Rooms, s.Members, s.Quiet)
	m := &s.Messages
	row("messages", "%.1f published and %.1f delivered a second; %d and %d since the start", m.PublishedRate, m.DeliveredRate, m.Published, m.Delivered)
	row("came back", "%d missed nothing, %d did; %d were closed as too slow", m.Recovered, m.Gaps, m.Slow)
	row("refused", "%s; frames: %s; by limits: %s", most(s.Refused.Requests), most(s.Refused.Frames), most(s.Refused.Limits))
	row("delivery", "%s", s.Delivery)
	row("commit", "%s", s.Commit)
	st := &s.Store
	kept := "acks mean that it is on the card"
	if !st.Durable {
		kept = "NOT on the card: in memory alone"
	}
	row("store", "%s of %d rooms in %s; %s", Size(uint64(max(st.Bytes, 0))), st.Rooms, st.Path, kept)
	row("  found as", "%s", found(st.Start))
	row("  waiting", "%d messages for the card, and %d acks", st.Pending, st.Waiting)
	backup := "none since the start"
	if st.Backup != nil {
		backup = fmt.Sprintf("the last %s ago, %d since the start", Span(*st.Backup), st.Backups)
	}
	if st.BackupsFailed > 0 {
		backup += fmt.Sprintf(", %d failed", st.BackupsFailed)
	}
	row("  backups", "%s", backup)
	row("medium", "%s, %s free; %d commits failed, %d messages were lost to damage", st.Medium, Size(st.Free), st.Failures, st.Lost)
	wr := &s.Written
	year := "too early to say what a year will be"
	if wr.Year > 0 {
		year = "some " + Size(wr.Year) + " a year"
	}
	row("written", "%s in the last %s, %s; %d flushes since the start", Size(wr.Day), Span(wr.Over), year, wr.Flushes)
	if c := s.Cluster; c != nil {
		c.rows(row)
	}
	p := &s.Process
	limit := ""
	if p.MemoryLimit > 0 {
		limit = " of " + Size(uint64(p.MemoryLimit))
	}
	row("memory", "%s resident, %s heap%s", Size(p.Resident), Size(p.Heap), limit)
	row("descriptors", "%d of %d", p.Descriptors, p.DescriptorLimit)
	row("log", "level %s, %d lines dropped", s.Log.Level, s.Log.Dropped)
	_ = t.Flush() // a Builder takes everything
	for _, list := range []struct {
		title    string
		problems []Problem
	}{{"PROBLEM", s.Problems}, {"warning", s.Warnings}} {
		for _, p := range list.problems {
			fmt.Fprintf(&b, "\n%s: %s\n  to do: %s\n", list.title, p.Message, p.Hint)
		}
	}
	if len(s.Problems)+len(s.Warnings) == 0 {
		b.WriteString("\nNothing is wrong.\n")
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// found says what a history was found as.
func found(start string) string {
	switch start {
	case "empty":
		return "new: there was none"
	case "in_order":
		return "it was left, in order"
	case "crash":
		return "it was left by a crash or a power cut: it goes on with what was acknowledged"
	case "copy":
		return "a restored backup or a copy: who comes back is told of a gap where it ends"
	case "damage":
		return "damaged: who comes back is told of a gap"
	case "no_file":
		return "nothing: its file could not be opened, and it began in memory"
	}
	return start
}

// most writes the three largest counts, and how many there are in all.
func most(counts map[string]uint64) string {
	if len(counts) == 0 {
		return "none"
	}
	names, sum := slices.Collect(maps.Keys(counts)), uint64(0)
	slices.Sort(names)
	sort.SliceStable(names, func(i, j int) bool { return counts[names[i]] > counts[names[j]] })
	var parts []string
	for i, name := range names {
		sum += counts[name]
		if i < 3 {
			parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
		}
	}
	return fmt.Sprintf("%d (%s)", sum, strings.Join(parts, ", "))
}

// String says it for people.
func (l Latency) String() string {
	if l.Count == 0 {
		return "none yet"
	}
	return fmt.Sprintf("half within %s, 99 of 100 within %s", seconds(l.P50), seconds(l.P99))
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(10 * time.Microsecond).String()
}

// WriteRooms writes rooms as a table.
func WriteRooms(w io.Writer, rooms []Room) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprint(t, "ROOM\tMEMBERS\tQUIET\tA SECOND\tMESSAGES\tBEHIND\t\n")
	for _, r := range rooms {
		slowed := ""
		if r.Slowed {
			slowed = "publishers wait"
		}
		fmt.Fprintf(t, "%q\t%d\t%d\t%.1f\t%d\t%d\t%s\n", r.Name, r.Members, r.Quiet, r.Rate, r.Messages, r.Behind, slowed)
	}
	return t.Flush()
}

// WriteTo writes r as one page for people.
func (r *RoomDetail) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "room %q: %d members, %d quiet, %d of them behind; newest message %s, oldest that is kept %s\n",
		r.Name, r.Members, r.Quiet, r.Behind, orNone(r.ID), orNone(r.Oldest))
	if r.Slowed {
		b.WriteString("who publishes waits for those who read\n")
	}
	t := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	if len(r.Who) > 0 {
		fmt.Fprint(t, "MEMBER\tCONNECTIONS\tSINCE\tNAME\n")
	}
	for _, m := range r.Who {
		name := "-"
		if m.Verified {
			name = "verified"
		}
		fmt.Fprintf(t, "%q\t%d\t%s\t%s\n", m.Username, m.Connections, m.Since.UTC().Format(time.RFC3339), name)
	}
	_ = t.Flush() // a Builder takes everything
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func orNone(id string) string {
	if id == "" {
		return "none"
	}
	return id
}

// Size writes bytes for people.
func Size(n uint64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"}
	f, i := float64(n), 0
	for ; f >= 1024 && i < len(units)-1; i++ {
		f /= 1024
	}
	if i == 0 || f >= 100 {
		return fmt.Sprintf("%.0f %s", f, units[i])
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

// Span writes seconds for people, in the two largest units.
func Span(s float64) string {
	n := int64(s)
	switch {
	case n >= 86400:
		return fmt.Sprintf("%d d %d h", n/86400, n/3600%24)
	case n >= 3600:
		return fmt.Sprintf("%d h %d min", n/3600, n/60%60)
	case n >= 60:
		return fmt.Sprintf("%d min %d s", n/60, n%60)
	}
	return fmt.Sprintf("%d s", n)
}
