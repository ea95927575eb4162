package logtest

import (
	"testing"

	"edgechat/codec"
)

// trim: a room keeps its newest messages, and says what the oldest is.
func trim(t *testing.T, m Maker) {
	_, n := one(t, m, 5)
	ids := n.sayAll("den", 1, 12)
	if oldest := n.Oldest("den"); oldest != ids[7] {
		t.Errorf("oldest is %s, want %s", oldest, ids[7])
	}
	n.want("all", "den", codec.Query{}, "8 9 10 11 12")
	n.want("after what is in the buffer", "den", codec.Query{After: &ids[9]}, "11 12")
	n.want("after the last that is not", "den", codec.Query{After: &ids[6]}, "8 9 10 11 12")
	n.want("after one that is missed", "den", codec.Query{After: &ids[5]}, "!8 9 10 11 12")
}

// replay: what a cursor leads to, and whether it is all.
func replay(t *testing.T, m Maker) {
	_, n := one(t, m, 100)
	n.want("an empty room", "den", codec.Query{}, "")
	empty := n.Head("den")
	ids := n.sayAll("den", 1, 6)
	n.want("from the beginning", "den", codec.Query{After: &empty}, "1 2 3 4 5 6")
	n.want("after the third", "den", codec.Query{After: &ids[2]}, "4 5 6")
	n.want("the first of these", "den", codec.Query{After: &ids[2], Limit: 2}, "4 5")
	n.want("the newest of these", "den", codec.Query{After: &ids[2], Limit: 2, Newest: true}, "!5 6")
	n.want("after the last", "den", codec.Query{After: &ids[5]}, "")
	n.want("the newest", "den", codec.Query{Limit: 2, Newest: true}, "5 6")
	ahead := codec.ID{Epoch: ids[5].Epoch, Offset: 9}
	n.want("after what was never said", "den", codec.Query{After: &ahead}, "!1 2 3 4 5 6")
	unknown := codec.ID{Epoch: "nobody0", Offset: 3}
	n.want("after what nobody knows", "den", codec.Query{After: &unknown, Limit: 2}, "!5 6")
	n.want("in another room", "hall", codec.Query{After: &empty}, "")
	page := n.page("den", codec.Query{Limit: 1})
	if page.Head != ids[5] || page.Oldest != ids[0] || page.Room != "den" {
		t.Errorf("page %+v", page)
	}
}

// back: pages before a message.
func back(t *testing.T, m Maker) {
	_, n := one(t, m, 100)
	ids := n.sayAll("den", 1, 6)
	n.want("before the fifth", "den", codec.Query{Before: &ids[4], Limit: 2}, "3 4")
	n.want("before the third", "den", codec.Query{Before: &ids[2], Limit: 5}, "1 2")
	n.want("before the first", "den", codec.Query{Before: &ids[0], Limit: 5}, "")
	n.want("between two", "den", codec.Query{After: &ids[1], Before: &ids[4]}, "3 4")
}
