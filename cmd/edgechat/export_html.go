package main

import (
	"fmt"
	"hash/fnv"
	"html"
	"io"
	"strings"
	"time"

	"edgechat/codec"
)

// The page of a room: no script, nothing from elsewhere, and a policy that allows neither, should a browser be made to
// think otherwise.
const (
	pageHead = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>%[1]s</title>
<style>
:root { --page: #f2f4f5; --surface: #fff; --ink: #1b2125; --soft: #5b666e; --line: #d9dfe2; --light: 28%%; color-scheme: light dark }
@media (prefers-color-scheme: dark) {
  :root { --page: #121518; --surface: #1a1d21; --ink: #e6eaed; --soft: #9aa5ad; --line: #2e353b; --light: 72%% }
}
* { box-sizing: border-box; margin: 0 }
body { font: 1rem/1.45 system-ui, sans-serif; background: var(--page); color: var(--ink); max-width: 46rem; margin: 0 auto; padding: 1rem .75rem 2rem }
header { padding: 0 .25rem }
h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere }
header p, footer { color: var(--soft); font-size: .85rem }
h2 { position: sticky; top: 0; background: var(--page); color: var(--soft); font-size: .85rem; font-weight: 600; padding: .75rem .25rem .35rem; margin-top: .5rem }
.by { background: var(--surface); border: 1px solid var(--line); border-radius: .6rem; padding: .5rem .75rem .6rem; margin-bottom: .4rem }
.by > b { color: hsl(var(--hue) 60%% var(--light)); overflow-wrap: anywhere }
.verified { color: var(--soft); font-size: .85rem }
.said { display: flex; gap: .75rem; align-items: baseline; justify-content: space-between; scroll-margin-top: 3rem }
.said:target { outline: 2px solid var(--soft); outline-offset: .2rem; border-radius: .2rem }
.said p { white-space: pre-wrap; overflow-wrap: anywhere; min-width: 0; unicode-bidi: plaintext; text-align: start; flex: 1 }
.said a { color: var(--soft); font-size: .8rem; text-decoration: none; white-space: nowrap; font-variant-numeric: tabular-nums }
.said a:hover, .said a:focus-visible { text-decoration: underline }
.said + .said, .mark + .said { margin-top: .3rem }
.mark { color: var(--soft); font-size: .8rem; font-style: italic; overflow-wrap: anywhere }
footer { margin-top: 1.5rem; padding: 0 .25rem }
@media print { h2 { position: static } .by { break-inside: avoid } }
</style>
<header><h1 dir="auto">%[1]s</h1>
<p>%[2]s, %[3]s</p></header>
`
	pageDay      = "<section><h2>%s</h2>\n"
	pageBy       = "<div class=\"by\" style=\"--hue:%d\"><b><bdi>%s</bdi></b>%s\n"
	pageVerified = ` <span class="verified" role="img" aria-label="verified" title="verified">✓</span>`
	pageMessage  = "<div class=\"said\" id=\"%[1]s\"><p>%[4]s</p> <a href=\"#%[1]s\"><time datetime=\"%[2]s\">%[3]s</time></a></div>\n"
	pageMark     = "<div class=\"mark\">edited %s%s</div>\n"
	pageFoot     = "<footer>Times are in UTC. Written by edgechat.</footer>\n"

	dayLayout = "2 January 2006"
	together  = 10 * time.Minute // what somebody says within it is under one name
)

// writePage writes what was said in a room, and was not deleted, as a page to be read. Times are in UTC, since the page may
// go anywhere.
func writePage(w io.Writer, list []codec.Record) error {
	var b strings.Builder
	edits := map[codec.ID]*codec.Message{} // the newest of each
	var said []*codec.Message
	for i := range list {
		switch m := &list[i].Message; {
		case m.Kind == codec.Edit:
			edits[m.Target] = m
		case m.Kind == codec.Said && !m.Deleted:
			said = append(said, m)
		}
	}
	if len(said) == 0 {
		return nil
	}
	first, last := dayOf(said[0]), dayOf(said[len(said)-1])
	when := first
	if last != first {
		when += " to " + last
	}
	fmt.Fprintf(&b, pageHead, visible(list[0].Room), count(len(said), "message"), when)
	var before *codec.Message
	for _, m := range said {
		if before == nil || dayOf(m) != dayOf(before) {
			if before != nil {
				b.WriteString("</div></section>\n")
			}
			fmt.Fprintf(&b, pageDay, timeOf(m).Format("Monday, "+dayLayout))
			before = nil
		}
		if before == nil || m.Username != before.Username || m.Verified != before.Verified || timeOf(m).Sub(timeOf(before)).Abs() > together {
			if before != nil {
				b.WriteString("</div>\n")
			}
			fmt.Fprintf(&b, pageBy, hue(m.Username), visible(m.Username), verifiedMark(m))
		}
		fmt.Fprintf(&b, pageMessage, visible(m.ID.String()), timeOf(m).Format(time.RFC3339), timeOf(m).Format("15:04"), visible(m.Content))
		if e := edits[m.ID]; m.Edited && e != nil {
			layout, by := "15:04", ""
			if dayOf(e) != dayOf(m) {
				layout = dayLayout + ", 15:04"
			}
			if e.Username != m.Username || e.Verified != m.Verified {
				by = " by <bdi>" + visible(e.Username) + "</bdi>" + verifiedMark(e)
			}
			fmt.Fprintf(&b, pageMark, timeOf(e).Format(layout), by)
		}
		before = m
		if b.Len() > 64<<10 {
			if _, err := io.WriteString(w, b.String()); err != nil {
				return err
			}
			b.Reset()
		}
	}
	b.WriteString("</div></section>\n" + pageFoot)
	_, err := io.WriteString(w, b.String())
	return err
}

// verifiedMark is what stands behind the name of a token.
func verifiedMark(m *codec.Message) string {
	if m.Verified {
		return pageVerified
	}
	return ""
}

func timeOf(m *codec.Message) time.Time { return time.UnixMilli(m.Time).UTC() }

func dayOf(m *codec.Message) string { return timeOf(m).Format(dayLayout) }

// hue returns the colour of a name, in degrees.
func hue(name string) int {
	h := fnv.New32a()
	_, _ = io.WriteString(h, name) // never fails
	return int(h.Sum32() % 360)
}

// visible escapes text. What turns the direction of text around, or is not shown, could make one message look
// like another: a replacement character stands for it.
func visible(text string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ' || 0x7f <= r && r < 0xa0 || 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069:
			return '\ufffd'
		}
		return r
	}, text))
}
