package hub

import (
	"fmt"
	"strings"
	"testing"
)

// TestNamesakes: of one name, who has a token is one member, and all who have none are another.
func TestNamesakes(t *testing.T) {
	h := newHub(t, Config{})
	for _, verified := range []bool{false, true, false} {
		defer h.Join("den", &sink{}, Join{Username: "Ann", Verified: verified}, nil).Leave()
	}
	var said strings.Builder
	for _, m := range h.Members("den") {
		said.WriteString(fmt.Sprintf("%s %t %d; ", m.Username, m.Verified, m.Connections))
	}
	if want := "Ann true 1; Ann false 2; "; said.String() != want {
		t.Errorf("%s, want %s", said.String(), want)
	}
}
