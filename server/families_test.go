package server

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
	"time"

	"edgechat/metrics"
	"edgechat/store"
)

// excused are the counts that no family of /metrics carries, and why.
var excused = map[string]string{
	"WS.Refused":       "the sum of RefusedBy",
	"Store.Epoch":      "a name, and another after each crash",
	"Store.Degraded":   "store_degraded says what Store.Ready does, which is this and more",
	"Store.CommitTime": "the sum of commit_seconds, and what commits took that failed",
}

// TestEveryCount changes one field after the other of what the parts of the server count: each changes what a scrape says. So
// whoever counts something new has to say it there, or here why not.
func TestEveryCount(t *testing.T) {
	page := func(l *look) string {
		var b bytes.Buffer
		if err := l.write(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	nothing := page(new(look))
	var seen []string
	var walk func(l *look, path string, v reflect.Value)
	walk = func(l *look, path string, v reflect.Value) {
		var histogram metrics.Histogram
		histogram.Observe(time.Millisecond)
		before := reflect.New(v.Type()).Elem()
		switch {
		case v.Type() == reflect.TypeFor[metrics.Durations]():
			v.Set(reflect.ValueOf(histogram.Read()))
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				walk(l, path+"."+v.Type().Field(i).Name, v.Field(i))
			}
			return
		case v.CanInt():
			v.SetInt(7)
		case v.CanUint():
			v.SetUint(7)
		case v.Kind() == reflect.Bool:
			v.SetBool(true)
		case v.Type() == reflect.TypeFor[store.Start]():
			v.Set(reflect.ValueOf(store.StartCrash))
		case v.Kind() == reflect.String:
			v.SetString("x")
		case v.Kind() == reflect.Map && reflect.TypeFor[uint64]().ConvertibleTo(v.Type().Elem()):
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.Zero(v.Type().Key()), reflect.ValueOf(7).Convert(v.Type().Elem()))
		default:
			t.Errorf("%s: a count that is a %v is not known here", path, v.Type())
			return
		}
		path = path[1:]
		seen = append(seen, path)
		_, fine := excused[path]
		if told := page(l) != nothing; told == fine {
			t.Errorf("%s: told by a family of /metrics: %v, excused: %v", path, told, fine)
		}
		v.Set(before)
	}
	l := new(look)
	walk(l, "", reflect.ValueOf(&l.Stats).Elem())
	if len(seen) < 80 {
		t.Errorf("only %d counts were found", len(seen))
	}
	for path := range excused {
		if !slices.Contains(seen, path) {
			t.Errorf("%s is excused, and is not there", path)
		}
	}
}

// No two families have one name, and each has help that is a sentence.
func TestFamilies(t *testing.T) {
	names := map[string]bool{}
	for _, f := range families {
		if names[f.name] || f.help == "" || f.help[len(f.help)-1] != '.' {
			t.Errorf("%s: there twice: %v; help: %q", f.name, names[f.name], f.help)
		}
		names[f.name] = true
	}
}
