package main

import "testing"

func TestRereads(t *testing.T) {
	for file, want := range map[string]string{
		"/etc/credstore/edgechat.tokens":    "sudo systemctl restart edgechat",
		"/etc/credstore/../edgechat.tokens": "kill -HUP PID",
		"tokens":                            "kill -HUP PID",
	} {
		if got := rereads(file); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}
