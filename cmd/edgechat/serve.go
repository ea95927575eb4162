package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"edgechat/internal/settings"
	"edgechat/server"
	"edgechat/systemd"
)

// aboutServe is for the commands that take the settings of the server.
const aboutServe = "Each flag is also an environment variable (--sync-interval is EDGECHAT_SYNC_INTERVAL);\n" +
	"the flag wins. On SIGHUP the server reads its token file, its key file and its certificate again.\n"

func serveCommand() command {
	return command{name: "serve", summary: "run the server", about: aboutServe, settings: new(options).table, run: serve}
}

// serve runs the server until Interrupt or SIGTERM. SIGHUP makes it read the
// token file again.
func serve(ctx context.Context, a *app) error {
	var o options
	values, err := a.flagsAlone(o.table(a.getenv))
	if err != nil {
		return err
	}
	var lines *logQueue
	o.Logger, lines = newQueuedLogger(a.stderr, o.format, &o.level, a.getenv)
	defer lines.close() // before the failure is reported behind it
	o.Level, o.LogDropped, o.Version = &o.level, lines.droppedLines, releaseName()
	a.logStrays(o.Logger)
	useLimits(o.Logger, a.getenv)
	if folder := a.getenv("CREDENTIALS_DIRECTORY"); folder != "" && o.Tokens == "" && o.JWTKey == "" {
		// An installed service is so until there are tokens: no reason to warn at each start.
		o.Logger.Info("no token file among the credentials", "folder", folder, "credential", credential, "hint", "LoadCredential=tokens:FILE in the unit, or --tokens FILE; jwt-key for signed ones")
	}
	super := newSupervisor(o.Logger)
	if o.Listeners, o.TLSListeners, err = handedOver(o.Logger, values, o.TLSCert != ""); err != nil {
		return err
	}

	// From here on a signal is an orderly stop, also while the store is being
	// opened. A second one has its usual effect and kills: whoever sends it
	// does not want to wait for the drain.
	signaled, restore := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer restore()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(signaled, func() {
		super.stop() // before anything of it can be seen
		restore()    // before the stop begins: whoever sees that in the log can already kill
		cancel()
	})()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // before the start, which it would end
	defer signal.Stop(hup)

	var wg sync.WaitGroup
	defer wg.Wait()
	starting, started := context.WithTimeout(ctx, startPatience)
	defer started()
	wg.Go(func() { super.extend(starting) })
	served, end := context.WithCancel(context.Background())
	defer end()
	wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-served.Done():
			return
		}
		stopping, cancel := context.WithTimeout(served, o.DrainTimeout+stopPatience)
		defer cancel()
		super.extend(stopping)
	})

	srv, err := server.New(o.Config)
	if err != nil {
		return serveFailure(err, &o)
	}
	started()
	super.ready(srv.Status()) // who connects from here on waits in the kernel's queue
	a.welcome(srv.URLs())
	watching, unwatched := context.WithCancel(ctx)
	defer unwatched() // a listener that fails ends Serve, not ctx
	wg.Go(func() { super.watch(watching, srv.Alive, srv.Status) })
	wg.Go(func() {
		for {
			select {
			case <-hup:
				super.reloading()
				srv.Reload()
				super.ready(srv.Status())
			case <-served.Done():
				return
			}
		}
	})
	if err := srv.Serve(ctx); err != nil {
		return serveFailure(err, &o)
	}
	return nil
}

// socketTLS is what FileDescriptorName= of a .socket unit calls a socket where TLS is spoken.
const socketTLS = "tls"

// handedOver returns the sockets that the service manager opened, which take the
// place of --listen and --tls-listen.
func handedOver(log *slog.Logger, values []settings.Resolved, certificate bool) (ls, secure []net.Listener, err error) {
	sockets, err := systemd.Listeners()
	if err != nil {
		return nil, nil, &failure{errs: []error{err}, hint: "mend the .socket unit: systemctl cat edgechat.socket", code: 1}
	}
	for _, s := range sockets {
		log.Info("socket handed over", "addr", s.Addr().String(), "name", s.Name)
		switch {
		case s.Name != socketTLS:
			ls = append(ls, s.Listener)
		case certificate:
			secure = append(secure, s.Listener)
		default:
			log.Warn("not listened on, for want of a certificate: set --tls-cert and --tls-key", "addr", s.Addr().String(), "name", s.Name)
			_ = s.Close()
		}
	}
	for _, v := range values {
		if (len(ls) > 0 && v.Name == "listen" || len(secure) > 0 && v.Name == "tls-listen") && v.From != "default" {
			log.Warn("not listened on, since sockets were handed over", v.Name, v.Value, "from", v.From)
		}
	}
	return ls, secure, nil
}
