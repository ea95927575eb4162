package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"edgechat/admin"
	"edgechat/metrics"
)

// sideDrain is how long a stop waits for who looks at the server, and for a backup under way.
const sideDrain = 2 * time.Second

// A side is what is served besides chat, for who looks after the server.
type side struct {
	l     net.Listener
	serve func(net.Listener) error
	close func(context.Context)
}

// openSides opens the admin socket and the listener of metrics, if they are asked for.
func (s *Server) openSides() error {
	if s.cfg.Admin != "" {
		l, err := listen("unix:"+s.cfg.Admin, s.cfg.SocketMode)
		if err != nil {
			return err
		}
		srv := admin.NewServer(admin.Config{Backend: backend{s}, Level: s.cfg.Level, Logger: s.log})
		s.sides = append(s.sides, side{l, srv.Serve, srv.Close})
	}
	if s.cfg.MetricsListen != "" {
		l, err := listen(s.cfg.MetricsListen, s.cfg.SocketMode)
		if err != nil {
			return err
		}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", metrics.ContentType)
			_ = s.writeMetrics(w) // the peer is gone if it fails
		})
		srv := &http.Server{
			Handler: mux, ReadHeaderTimeout: s.cfg.HeaderTimeout, ReadTimeout: s.cfg.MessageTimeout,
			WriteTimeout: s.cfg.MessageTimeout, IdleTimeout: s.cfg.IdleTimeout, MaxHeaderBytes: s.cfg.MaxHeaderBytes,
		}
		s.sides = append(s.sides, side{l, srv.Serve, func(ctx context.Context) {
			if srv.Shutdown(ctx) != nil {
				_ = srv.Close() // its errors are those of sockets that are gone
			}
		}})
	}
	return nil
}

// serveSides serves them, and has the meter run until ctx ends.
func (s *Server) serveSides(ctx context.Context) {
	s.meterMu.Lock()
	s.meter.began = s.sample()
	s.meterMu.Unlock()
	s.siding.Go(func() { s.measure(ctx) })
	for _, side := range s.sides {
		s.siding.Go(func() { // until closeSides
			if err := side.serve(side.l); !errors.Is(err, http.ErrServerClosed) {
				s.log.Error("not served any more", "addr", side.l.Addr().String(), "err", err)
			}
		})
		s.log.Info("listening for who looks after the server", "addr", side.l.Addr().String())
	}
}

// closeSides ends them.
func (s *Server) closeSides() {
	ctx, cancel := context.WithTimeout(context.Background(), sideDrain)
	defer cancel()
	for _, side := range s.sides {
		side.close(ctx)
		side.l.Close() // one that was never served
	}
}
