package store

import (
	"syscall"
	"testing"
	"time"

	"edgechat/hub"
	"edgechat/hub/logtest"
)

// TestLog is what every hub.Log has to pass.
func TestLog(t *testing.T) {
	logtest.Run(t, logtest.Maker{New: func(t *testing.T, _, history int) logtest.World {
		w := &world{history: history}
		w.s = open(t, w.config())
		return w
	}})
}

// A world is a store for tests of logs.
type world struct {
	history int
	s       *Store
	disk    gate
}

func (w *world) config() Config {
	return Config{History: w.history, AckDelay: time.Nanosecond, RetryDelay: time.Millisecond, aroundCommit: w.disk.around}
}

func (w *world) Node(int) hub.Log { return w.s }

func (w *world) Restart(t *testing.T, _ int) hub.Log {
	closeStore(t, w.s)
	cfg := w.config()
	cfg.Path = w.s.cfg.Path
	w.s = open(t, cfg)
	return w.s
}

func (w *world) Crash(t *testing.T, _ int) hub.Log {
	w.s = crash(t, w.s, w.config())
	return w.s
}

func (w *world) Break(*testing.T) { w.disk.fail(syscall.EIO) }
func (w *world) Mend(*testing.T)  { w.disk.fail(nil) }
