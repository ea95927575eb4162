package hub

import (
	"slices"
	"testing"

	"edgechat/codec"
)

// A holedLog has some of the messages of a room: what is not there was lost.
type holedLog struct {
	Log
	has []uint64
}

func (l *holedLog) Read(room string, q codec.Query) (codec.Page, error) {
	page := codec.Page{Room: room, Head: codec.ID{Epoch: "e", Offset: 40}, Oldest: codec.ID{Epoch: "e", Offset: l.has[0]}, Recovered: true}
	last := q.After.Offset
	for _, offset := range l.has {
		if offset <= q.After.Offset || len(page.Messages) == q.Limit {
			continue
		}
		page.Recovered = page.Recovered && offset == last+1
		last = offset
		page.Messages = append(page.Messages, codec.Message{ID: codec.ID{Epoch: "e", Offset: offset}, Content: "x"})
	}
	page.Recovered = page.Recovered && (len(page.Messages) == q.Limit || last == page.Head.Offset)
	return page, nil
}

// TestReadOverHoles: what is there is read once, and the reader knows that the rest is lost.
func TestReadOverHoles(t *testing.T) {
	for _, has := range [][]uint64{
		{1, 5, 6, 7, 8, 9, 10, 11, 12, 30, 31, 40},
		{1, 2, 3, 4, 20, 21},
		{1, 40},
		{1},
	} {
		r := reader{log: &holedLog{has: has}, room: "den", epoch: "e", next: 1, last: 40, step: firstStep}
		var got []uint64
		lacks := nothing
		for !r.ended() {
			messages, what, err := r.read(pageBytes)
			if err != nil {
				t.Fatal(err)
			}
			lacks = max(lacks, what)
			for i := range messages {
				got = append(got, messages[i].ID.Offset)
			}
		}
		if !slices.Equal(got, has) || lacks != damaged {
			t.Errorf("%v: read %v, lacks %d", has, got, lacks)
		}
	}
}
