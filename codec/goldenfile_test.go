package codec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

// normal turns what msgp decodes into what encoding/json does.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if ms, ok := value.(int64); ok && key == "timestamp" {
				v[key] = string(bytes.Trim(appendJSONTime(nil, ms), `"`))
			} else {
				v[key] = normal(value)
			}
		}
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	}
	return v
}

// transcode turns JSON into MessagePack, its keys in the same order.
func transcode(t *testing.T, text string) []byte {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	var pairs []byte
	n := uint32(0)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		switch v := token.(type) {
		case string:
			pairs = msgp.AppendString(pairs, v)
		case float64:
			pairs = msgp.AppendInt(pairs, int(v))
		case bool:
			pairs = msgp.AppendBool(pairs, v)
		default:
			continue
		}
		n++
	}
	return append(msgp.AppendMapHeader(nil, n/2), pairs...)
}

// golden compares got with a file, or writes it. A name with .hex holds bytes in
// hexadecimal, 32 on a line; any file ends in a newline.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if strings.HasSuffix(name, ".hex") {
			var lines []byte
			for rest := got; len(rest) > 0; rest = rest[min(32, len(rest)):] {
				lines = append(hex.AppendEncode(lines, rest[:min(32, len(rest))]), '\n')
			}
			got = lines
		} else if !bytes.HasSuffix(got, []byte("\n")) {
			got = append(bytes.Clone(got), '\n')
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := readGolden(t, name); !bytes.Equal(bytes.TrimSuffix(got, []byte("\n")), want) {
		t.Errorf("%s:\n got %q\nwant %q", path, got, want)
	}
}

func readGolden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	if err != nil {
		t.Fatalf("%v; write it with go test -run Golden -update", err)
	}
	if !strings.HasSuffix(name, ".hex") {
		return bytes.TrimSuffix(b, []byte("\n"))
	}
	decoded, err := hex.DecodeString(strings.ReplaceAll(string(b), "\n", ""))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return decoded
}
