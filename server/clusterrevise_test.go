package server

import (
	"path/filepath"
	"strings"
	"testing"

	"edgechat/auth"
	"edgechat/internal/edgetest"
)

// TestClusterRevise: who has said something changes it from another node, with his token or his author key, and nobody else does; a moderator deletes it there.
func TestClusterRevise(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	tokens := filepath.Join(t.TempDir(), "tokens")
	grant := func(name string, access auth.Access) string {
		secret, err := auth.Create(tokens, auth.Grant{Name: name, Access: access})
		if err != nil {
			t.Fatal(err)
		}
		return "Authorization: Bearer " + secret
	}
	vera, mod := grant("Vera", auth.Write), grant("Mod", auth.Moderate)
	node := func(name string) *running {
		s := start(t, Config{Cluster: "unix:" + r.socket(), NodeName: name, Tokens: tokens, Anonymous: auth.Write})
		clusterWait(t, name+" is ready", func() bool { return s.cluster.Ready() == nil })
		return s
	}
	a, b := node("a"), node("b")
	dial := func(s *running, query string, headers ...string) *edgetest.Client {
		t.Helper()
		c := edgetest.Dial(t, s.url+"/chat/room/den"+query, append(headers, clusterProtocol)...)
		c.JSONOf("subscribed")
		return c
	}
	said := map[string]string{} // ids by who has said it
	for name, c := range map[string]*edgetest.Client{"Vera": dial(a, "", vera), "Bob": dial(a, "?username=Bob")} {
		c.Text(`{"type":"message","content":"by ` + name + `","author_key":"a key of his own","idempotency_key":"` + name + `"}`)
		said[name] = c.JSONOf("ack")["id"].(string)
	}
	clusterWait(t, "b has both", func() bool { return b.history().Head("den").Offset == 2 })
	revise := func(c *edgetest.Client, frame string) string {
		t.Helper()
		c.Text(frame)
		for {
			switch m := c.JSON(); m["type"] {
			case "ack":
				return ""
			case "error":
				return m["code"].(string)
			}
		}
	}
	edit := func(id, key string) string {
		return `{"type":"edit","id":"` + id + `","content":"changed","author_key":"` + key + `","idempotency_key":"k` + key + `"}`
	}
	other := dial(b, "?username=Eve")
	for _, id := range said {
		if code := revise(other, edit(id, "another key of mine")); code != "forbidden" {
			t.Errorf("another changes it: %q", code)
		}
	}
	if code := revise(dial(b, "?username=Bob"), edit(said["Bob"], "a key of his own")); code != "" {
		t.Errorf("by his author key: %s", code)
	}
	if code := revise(dial(b, "", vera), edit(said["Vera"], "x")); code != "" {
		t.Errorf("by her token: %s", code)
	}
	clusterWait(t, "a has both edits", func() bool {
		_, body := a.answer("GET", "/chat/room/den/messages", "")
		return strings.Count(body, `"changed"`) >= 2
	})
	if code := revise(dial(b, "", mod), `{"type":"delete","id":"`+said["Vera"]+`","idempotency_key":"d"}`); code != "" {
		t.Errorf("a moderator: %s", code)
	}
	b.does(`{"act":"delete","room":"den","id":"` + said["Bob"] + `"}`)
	clusterWait(t, "both are deleted on a", func() bool {
		_, body := a.answer("GET", "/chat/room/den/messages", "")
		return strings.Count(body, `"type":"deleted"`) == 2 && strings.Count(body, `"deleted":true`) == 4 && !strings.Contains(body, `"changed"`)
	})
}
