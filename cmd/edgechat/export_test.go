package main

import (
	"bytes"
	"strings"
	"testing"

	"edgechat/codec"
)

// TestPage: nothing that somebody said is markup, or turns the page around.
func TestPage(t *testing.T) {
	var b bytes.Buffer
	write, end := htmlPage(&b, `den <img src=x onerror="x">`)
	for i, content := range []string{`</p><script>alert(1)</script>`, "\"'><b onclick=x>&amp;", "a\u202eb\u2066c\x1b[2Jd\x00e\u0085", "line\nline"} {
		r := codec.Record{Message: codec.Message{ID: codec.ID{Epoch: "e", Offset: uint64(i + 1)}, Username: `<i>"'`, Content: content, Time: int64(i) * 86_400_000}}
		if err := write(&r); err != nil {
			t.Fatal(err)
		}
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, bad := range []string{"<script", "<img", "<b onclick", "<i>", "\u202e", "\u2066", "\x1b", "\x00", "\u0085", "%!"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q:\n%s", bad, page)
		}
	}
	for _, want := range []string{
		"<title>den &lt;img src=x onerror=&#34;x&#34;&gt;</title>",
		"<h2>Thursday, 1 January 1970</h2>\n<p id=\"e-1\"><time datetime=\"1970-01-01T00:00:00Z\">00:00</time> <b><bdi>&lt;i&gt;&#34;&#39;</bdi></b> &lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;</p>\n",
		"<h2>Friday, 2 January 1970</h2>", "&#34;&#39;&gt;&lt;b onclick=x&gt;&amp;amp;", "a\ufffdb\ufffdc\ufffd[2Jd\ufffde\ufffd", "line\nline</p>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}
