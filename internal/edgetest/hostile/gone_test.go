package hostile

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"edgechat/internal/faultydisk"
)

// Many join and hang up again while the disk hangs: nothing is kept for them.
func TestHangUpWhileDiskHangs(t *testing.T) {
	const clients = 300
	card := faultydisk.New(t, 128<<20)
	data := filepath.Join(card.Dir, "data")
	s := serve(t, "EDGECHAT_DATA="+data)
	fill(t, s, "old", 300, 4<<10)
	s.Stop()
	s = serve(t, "EDGECHAT_DATA="+data)
	if err := healthz(s.Addr); err != nil {
		t.Fatal(err)
	}
	before := s.Descriptors()
	files, err := os.ReadDir(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Type().IsRegular() {
			card.Evict(s.PID(), filepath.Join(data, f.Name()))
		}
	}
	card.Set(faultydisk.Read, faultydisk.Fault{Hang: true})
	defer card.Mend()
	var hung []interface{ Close() error }
	for range clients {
		hung = append(hung, deaf(t, s.Addr, Handshake("old", "username=x&since=all")))
	}
	card.AwaitHanging()
	for end := time.Now().Add(10 * time.Second); s.Descriptors() < before+clients && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("%d descriptors before, %d while %d wait for the disk", before, s.Descriptors(), clients)
	for _, c := range hung {
		_ = c.Close()
	}
	gone(t, s, before+2)
	if err := healthz(s.Addr); err != nil {
		t.Error(err)
	}
	timer := time.AfterFunc(time.Second, card.Mend) // a thread that hangs in the kernel would keep it from ending
	defer timer.Stop()
	stacks := s.Goroutines()
	t.Logf("%d goroutines", len(stacks))
	if len(stacks) < 3 || len(stacks) > 50 {
		t.Errorf("%d goroutines, want a few", len(stacks))
	}
}
