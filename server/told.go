package server

import (
	"context"
	"log/slog"

	"edgechat/admin"
)

// told is what the log has been told to be wrong, by code. The meter's goroutine owns it.
type told map[wrong]*trouble

// A wrong is a kind of trouble: one code may be a problem and a warning.
type wrong struct {
	code  string
	level slog.Level
}

// A trouble is something that is wrong, or was until lately.
type trouble struct {
	absent int // ticks since it was last wrong
}

// tell logs what has become wrong, and what has not been so for a minute. It is what a status says, so that whoever reads the
// log alone knows it; whatever comes and goes is two lines in two minutes at most.
func (t told) tell(log *slog.Logger, find func() (problems, warnings []admin.Problem)) {
	problems, warnings := find()
	for _, one := range t {
		one.absent++
	}
	say := func(list []admin.Problem, level slog.Level) {
		for _, p := range list {
			key := wrong{p.Code, level}
			if one := t[key]; one != nil {
				one.absent = 0
				continue
			}
			t[key] = new(trouble)
			log.Log(context.Background(), level, "something is wrong", "code", p.Code, "what", p.Message, "hint", p.Hint)
		}
	}
	say(problems, slog.LevelError)
	say(warnings, slog.LevelWarn)
	for key, one := range t {
		if one.absent > meterShort {
			log.Info("no longer wrong", "code", key.code)
			delete(t, key)
		}
	}
}
