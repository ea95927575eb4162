package server

import (
	"context"
	"errors"
	"time"

	"edgechat/admin"
)

// Reload reads the token file and the certificate again, if there are such, closes the connections of tokens that were taken back or
// allow less than before, and logs the outcome. What cannot be read stays as it was, and the status says so until it can.
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
	if s.tokens == nil {
		if s.pair == nil {
			s.log.Info("nothing to reload: there is no token file")
		}
		return admin.Reloaded{}, nil
	}
	if err := s.tokens.Reload(); err != nil {
		s.stale.Store(&err)
		s.log.Error("tokens not reloaded, the old ones stay", "err", err)
		return admin.Reloaded{}, err
	}
	s.stale.Store(nil)
	closed := s.chat.Recheck()
	s.log.Info("tokens reloaded", "path", s.tokens.Path(), "tokens", s.tokens.Len(), "closed", closed)
	return admin.Reloaded{Path: s.tokens.Path(), Tokens: s.tokens.Len(), Closed: closed}, nil
}

// expireEvery is how late the connections of a token that has expired may be closed.
const expireEvery = 500 * time.Millisecond

// expireTokens closes the connections of tokens as they expire, until ctx ends.
func (s *Server) expireTokens(ctx context.Context) {
	if s.tokens == nil {
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
