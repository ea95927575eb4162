package ws

import "testing"

// TestValues: what guards add is found by its key, however many there are, and the last of a key counts.
func TestValues(t *testing.T) {
	type key int
	type other int
	r := new(Request)
	for i := range 5 {
		r.Set(key(i), i)
	}
	for _, i := range []int{0, 1, 3} {
		r.Set(key(i), 10+i)
	}
	for i, want := range []any{10, 11, 2, 13, 4, nil} {
		if got := r.Value(key(i)); got != want {
			t.Errorf("%d is %v, want %v", i, got, want)
		}
	}
	if got := r.Value(other(1)); got != nil {
		t.Errorf("a key of another type has %v", got)
	}
	if got := r.Value(nil); got != nil {
		t.Errorf("no key has %v", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a nil key was taken")
		}
	}()
	r.Set(nil, 1)
}
