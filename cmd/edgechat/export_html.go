package main

import (
	"fmt"
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
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>%[1]s</title>
<style>
body { font: 16px/1.4 system-ui, sans-serif; max-width: 45em; margin: 1em auto; padding: 0 1em; color-scheme: light dark }
h2 { font-size: 1em; border-bottom: 1px solid; margin: 2em 0 .5em }
p { margin: .4em 0; white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext }
time { opacity: .6; font-size: .85em }
</style>
<h1>%[1]s</h1>
`
	pageDay     = "<h2>%s</h2>\n"
	pageMessage = "<p id=\"%s\"><time datetime=\"%s\">%s</time> <b><bdi>%s</bdi></b> %s</p>\n"
)

// htmlPage writes records as a page to be read; times are in UTC, since the page may go anywhere. end ends it.
func htmlPage(w io.Writer, room string) (write func(*codec.Record) error, end func() error) {
	began, day := false, ""
	write = func(r *codec.Record) error {
		var b strings.Builder
		if !began {
			fmt.Fprintf(&b, pageHead, visible(room))
			began = true
		}
		at := time.UnixMilli(r.Message.Time).UTC()
		if d := at.Format("Monday, 2 January 2006"); d != day {
			fmt.Fprintf(&b, pageDay, d)
			day = d
		}
		fmt.Fprintf(&b, pageMessage, visible(r.Message.ID.String()), at.Format(time.RFC3339), at.Format("15:04"), visible(r.Message.Username), visible(r.Message.Content))
		_, err := io.WriteString(w, b.String())
		return err
	}
	return write, func() error {
		_, err := io.WriteString(w, "<footer><small>Times are in UTC. Written by edgechat.</small></footer>\n")
		return err
	}
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
