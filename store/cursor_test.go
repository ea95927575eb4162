package store

import (
	"path/filepath"
	"testing"

	"edgechat/codec"
)

// A cursor of the present epoch proves what there is up to the newest message, and
// nothing beyond it.
func TestCursorBeyondTheNewest(t *testing.T) {
	s := open(t, Config{Path: filepath.Join(t.TempDir(), "edgechat.db")})
	ids := sayAll(t, s, "den", 3)
	for offset := range uint64(6) {
		after := codec.ID{Epoch: ids[0].Epoch, Offset: offset}
		page, err := s.Read("den", codec.Query{After: &after})
		if err != nil {
			t.Fatal(err)
		}
		if page.Recovered != (offset <= 3) {
			t.Errorf("after offset %d of 3: recovered %v", offset, page.Recovered)
		}
		if n := len(page.Messages); offset <= 3 && n != 3-int(offset) {
			t.Errorf("after offset %d of 3: %d messages", offset, n)
		}
	}
}
