package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// template is a data folder that was made once, since that takes seconds: servers begin with a copy.
var template struct {
	once sync.Once
	s    *server
}

func templateOf(t testing.TB, bin string) *server {
	t.Helper()
	template.once.Do(func() {
		s := folder(t, bin)
		s.run(t, "initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-N", "--wal-segsize=1")
		hba, err := os.OpenFile(filepath.Join(s.data(), "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := hba.WriteString("host all all 192.0.2.0/24 trust\n"); err != nil {
			t.Fatal(err)
		}
		if err := hba.Close(); err != nil {
			t.Fatal(err)
		}
		template.s = s
	})
	if template.s == nil {
		t.Fatal("there is no template, see the first test")
	}
	return template.s
}

// common is a server that tests share which do not stop it.
var common struct {
	once sync.Once
	s    *server
}

func end() {
	if s := common.s; s != nil {
		_ = s.cmd.Process.Kill()
		<-s.ended
		_ = os.RemoveAll(s.dir)
	}
	if template.s != nil {
		_ = os.RemoveAll(template.s.dir)
	}
}

var shares atomic.Int64 // so that a test that is run again has another one

// share returns a server that others use too, with a cluster of this test's own.
func share(t testing.TB) *server {
	t.Helper()
	bin := programs(t)
	common.once.Do(func() { common.s = begin(t, bin) })
	if common.s == nil {
		t.Fatal("there is no common server, see the first test")
	}
	s := *common.s
	s.name = fmt.Sprint(t.Name(), shares.Add(1))
	return &s
}
