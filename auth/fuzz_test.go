package auth

import (
	"os"
	"strings"
	"testing"
)

// What parse takes stands for somebody: with a valid name, a right, and no
// room that could not exist. What it refuses, it refuses with a line number.
func FuzzParse(f *testing.F) {
	f.Add([]byte("# x\n" + `{"name":"Ann","sha256":"` + hashA + `","access":"read","rooms":["a*"]}` + "\n"))
	f.Add([]byte(`{"name":"Ann","sha256":"","access":"none"}`))
	f.Add([]byte(`{"name":"Ann","sha256":"` + hashB + `","access":"admin","expires":"2027-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, err := parse("tokens", raw)
		if err != nil {
			if entries != nil || !strings.Contains(err.Error(), "tokens:") {
				t.Fatalf("%v, %v", entries, err)
			}
			return
		}
		for _, e := range entries {
			if checkName(e.Name) != nil || e.Access < None || e.Access > Admin || e.Access.wholeServer() && e.Rooms != nil || e.hash == [32]byte{} && !strings.Contains(e.SHA256, "00") {
				t.Fatalf("took %+v", e)
			}
			for _, p := range e.Rooms {
				if err := checkPattern(p); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// A fuzz target without seeds runs as a test that tests nothing.
func TestCorpus(t *testing.T) {
	if files, err := os.ReadDir("testdata/fuzz/FuzzParse"); err != nil || len(files) == 0 {
		t.Errorf("FuzzParse has no seeds: %v", err)
	}
}
