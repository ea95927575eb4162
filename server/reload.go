package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"edgechat/admin"
)

// Reload reads the token file, the key file and the certificate again, if there are such, closes the connections of tokens that were taken back,
// allow less than before, or were signed with a key that is gone, and logs the outcome. What cannot be read stays as it was, and the status says so until it can.
func (s *Server) Reload() { _, _ = s.reload() }

func (s *Server) reload() (admin.Reloaded, error) {
	s.reloads.Lock() // what was read first must not count last
	defer s.reloads.Unlock()
	reloaded, err := s.reloadTokens()
	if s.pair != nil {
		err = errors.Join(err, s.pair.Reload()) // the log has it
	}
	return reloaded, err
}

func (s *Server) reloadTokens() (admin.Reloaded, error) {
	if !s.hasTokens() {
		if s.pair == nil {
			s.log.Info("nothing to reload: there is no token file")
		}
		return admin.Reloaded{}, nil
	}
	var read admin.Reloaded
	var tokensErr, keysErr error
	if s.tokens != nil {
		if tokensErr = s.tokens.Reload(); tokensErr != nil {
			s.log.Error("tokens not reloaded, the old ones stay", "err", tokensErr)
		} else {
			read.Path, read.Tokens = s.tokens.Path(), s.tokens.Len()
		}
	}
	if s.keys != nil {
		if keysErr = s.keys.Reload(); keysErr != nil {
			s.log.Error("keys not reloaded, the old ones stay", "err", keysErr)
		} else {
			read.KeyPath, read.Keys = s.keys.Path(), s.keys.Len()
		}
	}
	// What could be read counts, though the other could not.
	read.Closed = s.chat.Recheck()
	if read.Path != "" {
		s.log.Info("tokens reloaded", "path", read.Path, "tokens", read.Tokens, "closed", read.Closed)
	}
	if read.KeyPath != "" {
		s.log.Info("keys reloaded", "path", read.KeyPath, "keys", read.Keys, "closed", read.Closed)
	}
	err := cmp.Or(tokensErr, keysErr)
	if tokensErr != nil && keysErr != nil {
		err = fmt.Errorf("%w; %w", tokensErr, keysErr) // on one line: the service manager has it
	}
	if err != nil {
		s.stale.Store(&err)
	} else {
		s.stale.Store(nil)
	}
	return read, err
}

// expireEvery is how late the connections of a token that has expired may be closed.
const expireEvery = 500 * time.Millisecond

// expireTokens closes the connections of tokens as they expire, until ctx ends.
func (s *Server) expireTokens(ctx context.Context) {
	if !s.hasTokens() {
		return
	}
	s.siding.Go(func() {
		ticker := time.NewTicker(expireEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if closed := s.chat.Expire(time.Now()); closed > 0 {
				s.log.Info("tokens expired", "closed", closed)
			}
		}
	})
}
