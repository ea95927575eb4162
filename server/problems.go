package server

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"syscall"

	"edgechat/admin"
)

// problems returns what is wrong: first what keeps new clients away or messages from the card, then what does
// neither and is to be seen to. Each has its mend.
func (s *Server) problems() (problems, warnings []admin.Problem) {
	if s.draining.Load() {
		problems = append(problems, admin.Problem{Code: "draining", Message: "the server is stopping", Hint: "connect again in some seconds"})
	}
	counts := s.router.Stats()
	if err := s.history().Ready(); err != nil {
		problems = append(problems, admin.Problem{Code: "store", Message: err.Error(), Hint: storeHint(err, s.cfg.Data)})
	}
	failing, lagging := s.clusterProblems()
	problems, warnings = append(problems, failing...), append(warnings, lagging...)
	if counts.Crowding {
		problems = append(problems, admin.Problem{Code: "descriptors", Message: "connections are refused: all descriptors but a reserve are in use",
			Hint: "raise LimitNOFILE in the unit, or ulimit -n; edgechat admin status says from where the connections come"})
	}
	if err := s.history().Warning(); err != nil {
		warnings = append(warnings, admin.Problem{Code: "store", Message: err.Error(),
			Hint: "put --data on a card or a disk that takes writes, and see the log for what failed"})
	}
	if err := s.stale.Load(); err != nil {
		warnings = append(warnings, admin.Problem{Code: "tokens", Message: "tokens not reloaded, the old ones stay: " + (*err).Error(),
			Hint: "mend that, then edgechat admin reload"})
	}
	if err := s.rules.Warning(); err != nil {
		warnings = append(warnings, admin.Problem{Code: "moderation", Message: err.Error(),
			Hint: "edgechat admin bans lists the rules that hold; put --data on a card that takes writes, and make those again that are missing"})
	}
	st := s.history().Stats()
	if st.Lost > 0 {
		warnings = append(warnings, admin.Problem{Code: "lost", Message: "messages could not be read again since the start: " + strconv.FormatUint(st.Lost, 10),
			Hint: "the card is failing: make a backup, and put another card in"})
	}
	if st.Salvages > 0 {
		warnings = append(warnings, admin.Problem{Code: "damaged", Message: fmt.Sprintf("the files of the history were damaged: %d times since the start they were put aside, and what could be read was kept", st.Salvages),
			Hint: "the log says what was damaged, and where the old files are; make a backup, and if nobody has touched the files put another card in"})
	}
	if n := counts.Panics; n > 0 {
		warnings = append(warnings, admin.Problem{Code: "panics", Message: fmt.Sprintf("a defect of the server ended %d requests or connections since the start", n),
			Hint: "report it, with the lines of the log that say \"handler panicked\""})
	}
	warnings = append(append(warnings, s.certificateProblems()...), s.oldRoomProblems()...)
	if s.cfg.LogDropped != nil {
		if n := s.cfg.LogDropped(); n > 0 {
			warnings = append(warnings, admin.Problem{Code: "log", Message: fmt.Sprintf("%d lines of the log were dropped since the start", n),
				Hint: "whoever reads the log does so too slowly; a log level above debug says less"})
		}
	}
	if lately := s.lately.Load(); lately != nil {
		warnings = append(warnings, *lately...)
	}
	return problems, warnings
}

// storeHint says what has the store write again.
func storeHint(err error, folder string) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room on the file system of " + folder + ": df -h " + folder
	case errors.Is(err, syscall.EROFS):
		return "the file system of " + folder + " is read-only, often since its card failed: dmesg, then put another card in"
	case errors.Is(err, fs.ErrPermission):
		return "the server may not write there: ls -l " + folder
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return folder + " is gone, or no folder any more: make room for it, and the history is written anew"
	}
	return "the card fails or hangs: dmesg says more; chat goes on in memory, and a backup has what is there"
}
