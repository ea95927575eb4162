package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgechat/codec"
	"edgechat/store"
)

// edgechat runs a command, which must succeed, and returns what it wrote.
func edgechat(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(context.Background(), args, nil, func(string) string { return "" }, nil, &out, &errs); code != 0 {
		t.Fatalf("edgechat %s: exit code %d\n%s", strings.Join(args, " "), code, &errs)
	}
	return out.String(), errs.String()
}

// TestExportAndBack: what was exported and imported into an empty store is exported in the same bytes; and nothing of what was
// deleted is in it.
func TestExportAndBack(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	names := []string{"ann", "e\u0301", "\U0001f468\u200d\U0001f469", `a"b\c<d>&`, "\u0645\u0631\u062d\u0628\u0627", "0", "O'Neil"}
	rooms := []string{"den", "z", "a", "...", "-", "\u0416\u0437", "\u4e2d\u6587", strings.Repeat("\U00020000", 64)}
	texts := []string{"", " ", "hi", "\x00\x01\x1b[2J", "\u2028\u2029", "a\r\nb\n", "\ufffd", "{\"room\":\"den\"}", "\\u0041", strings.Repeat("\u20ac", 1000)}
	const secret = "what nobody is to read"
	for start := range 2 { // and so two epochs
		s, err := store.Open(store.Config{Path: filepath.Join(folder, storeFile)})
		if err != nil {
			t.Fatal(err)
		}
		s.Deliver(func(string, *codec.Message) {}, nil)
		for i, room := range rooms {
			var ids []codec.ID
			for j, text := range append(texts, secret, secret) {
				key := ""
				if j%2 == 0 {
					key = fmt.Sprintf("n\x00%s %d %d", names[j%len(names)], start, j)
				}
				tell := func(r codec.Receipt) { ids = append(ids, r.ID) }
				m := codec.Message{Username: names[(i+j)%len(names)], Verified: j%3 == 0, Content: text, Time: int64(i*j) << 30, Author: 7}
				if err := s.Append(room, m, key, codec.Done{Tell: tell, Early: true}); err != nil {
					t.Fatal(err)
				}
			}
			for j, m := range []codec.Message{
				{Kind: codec.Edit, Target: ids[1], Content: secret},
				{Kind: codec.Edit, Target: ids[len(ids)-1], Content: secret + " still"},
				{Kind: codec.Edit, Target: ids[1], Content: texts[i]},
				{Kind: codec.Deletion, Target: ids[len(ids)-2]},
				{Kind: codec.Deletion, Target: ids[len(ids)-1]},
			} {
				m.Username, m.Verified, m.Time = names[j], j%2 == 0, int64(j)
				if err := s.Revise(room, m, codec.Claim{All: true}, fmt.Sprint("r", start, j), codec.Done{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	first, said := edgechat(t, "export", "--data", folder)
	if strings.Contains(first, secret) {
		t.Errorf("it has what was deleted, or was edited away:\n%s", first)
	}
	if lines, want := strings.Count(first, "\n"), 2*len(rooms)*(len(texts)+7); lines != want {
		t.Errorf("%d lines, want %d: %s", lines, want, said)
	}
	if verified, want := strings.Count(first, `"verified":true`), 2*len(rooms)*(4+3); verified != want {
		t.Errorf("%d lines of verified names, want %d", verified, want)
	}
	if again, _ := edgechat(t, "export", "--data", folder); again != first {
		t.Error("two exports of one store differ")
	}
	file := filepath.Join(t.TempDir(), "all.ndjson")
	if err := os.WriteFile(file, []byte(first), 0o600); err != nil {
		t.Fatal(err)
	}
	into := filepath.Join(t.TempDir(), "other")
	if _, said = edgechat(t, "import", file, "--data", into); said != "" {
		t.Errorf("import says %s", said)
	}
	back, _ := edgechat(t, "export", "--data", into)
	for i, line := range strings.Split(first, "\n") {
		if other := strings.Split(back, "\n"); i >= len(other) || other[i] != line {
			t.Fatalf("line %d was %s\nand is %s", i+1, line, other[min(i, len(other)-1)])
		}
	}
	if back != first {
		t.Error("there is more in it")
	}
	for i, room := range rooms {
		page, _ := edgechat(t, "export", "--html", room, "--data", into)
		if strings.Contains(page, secret) || strings.Count(page, `class="said"`) != 2*len(texts) || strings.Count(page, `class="mark"`) != 2 {
			t.Errorf("room %d: %d messages, %d marks\n%s", i, strings.Count(page, `class="said"`), strings.Count(page, `class="mark"`), page)
		}
	}
}

// TestPage: nothing that somebody said is markup, or turns the page around, and what was deleted is not there.
func TestPage(t *testing.T) {
	var list []codec.Record
	add := func(m codec.Message) {
		m.ID = codec.ID{Epoch: "e", Offset: uint64(len(list) + 1)}
		list = append(list, codec.Record{Room: `den <img src=x onerror="x">`, Message: m})
	}
	for i, content := range []string{`</p><script>alert(1)</script>`, "\"'><b onclick=x>&amp;", "a\u202eb\u2066c\x1b[2Jd\x00e\u0085", "line\nline"} {
		add(codec.Message{Username: `<i>"'`, Content: content, Time: int64(i) * 86_400_000, Edited: i == 3})
	}
	add(codec.Message{Username: `<i>"'`, Time: 4 * 86_400_000, Deleted: true})
	add(codec.Message{Username: `<u>`, Content: "line\nline", Time: 4 * 86_400_000, Kind: codec.Edit, Target: list[3].Message.ID})
	add(codec.Message{Username: "ann", Content: "hers", Verified: true, Time: 4 * 86_400_000, Edited: true})
	add(codec.Message{Username: "ann", Content: "not hers", Time: 4 * 86_400_000})
	add(codec.Message{Username: "ann", Content: "hers", Verified: true, Kind: codec.Edit, Target: list[6].Message.ID, Time: 4 * 86_400_000})
	add(codec.Message{Username: "mod", Time: 5 * 86_400_000, Kind: codec.Deletion, Target: list[4].Message.ID})
	var b bytes.Buffer
	if err := writePage(&b, list); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, bad := range []string{"<script", "<img", "<b onclick", "<i>", "<u>", "\u202e", "\u2066", "\x1b", "\x00", "\u0085", "%!", "e-5"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q:\n%s", bad, page)
		}
	}
	for _, want := range []string{
		"<title>den &lt;img src=x onerror=&#34;x&#34;&gt;</title>",
		"<p>6 messages, 1 January 1970 to 5 January 1970</p>",
		"<h2>Thursday, 1 January 1970</h2>\n<div class=\"by\" style=\"--hue:147\"><b><bdi>&lt;i&gt;&#34;&#39;</bdi></b>\n" +
			"<div class=\"said\" id=\"e-1\"><p>&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;</p> <a href=\"#e-1\"><time datetime=\"1970-01-01T00:00:00Z\">00:00</time></a></div>\n",
		"<h2>Friday, 2 January 1970</h2>", "&#34;&#39;&gt;&lt;b onclick=x&gt;&amp;amp;", "a\ufffdb\ufffdc\ufffd[2Jd\ufffde\ufffd", "line\nline</p>",
		"<div class=\"mark\">edited 5 January 1970, 00:00 by <bdi>&lt;u&gt;</bdi></div>\n",
		"<b><bdi>ann</bdi></b> <span class=\"verified\" role=\"img\" aria-label=\"verified\" title=\"verified\">✓</span>\n<div class=\"said\" id=\"e-7\"><p>hers</p>",
		"<b><bdi>ann</bdi></b>\n<div class=\"said\" id=\"e-8\"><p>not hers</p>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Count(page, "<div") != strings.Count(page, "</div>") || strings.Count(page, "<section") != strings.Count(page, "</section>") {
		t.Errorf("not all that was opened is closed:\n%s", page)
	}
}
