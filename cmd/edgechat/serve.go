package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"edgechat/server"
)

// serve runs the server until Interrupt or SIGTERM. SIGHUP makes it read the
// token file again.
func serve(ctx context.Context, a *app) error {
	var o options
	rest, _, err := resolve("serve", o.settings(a.getenv), a.args, a.getenv)
	if err != nil {
		return err
	}
	if err := noArgs("serve", rest); err != nil {
		return err
	}
	o.Logger = newLogger(a.stderr, o.format, o.level, a.getenv)

	// From here on a signal is an orderly stop, also while the store is being
	// opened. A second one has its usual effect and kills: whoever sends it
	// does not want to wait for the drain.
	signaled, restore := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer restore()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(signaled, func() {
		restore() // before the stop begins: whoever sees that in the log can already kill
		cancel()
	})()

	srv, err := server.New(o.Config)
	if err != nil {
		return serveFailure(err, &o)
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	var wg sync.WaitGroup
	served := make(chan struct{})
	wg.Go(func() { // ends when served is closed
		for {
			select {
			case <-hup:
				srv.Reload()
			case <-served:
				return
			}
		}
	})
	err = srv.Serve(ctx)
	close(served)
	wg.Wait()
	if err != nil {
		return serveFailure(err, &o)
	}
	return nil
}
