package server

import (
	"net/http"
	"path/filepath"

	"edgechat/auth"
	"edgechat/browser"
	"edgechat/captive"
	"edgechat/chat"
	"edgechat/cluster"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/limit"
	"edgechat/moderation"
	"edgechat/store"
	"edgechat/web"
	"edgechat/ws"
)

// The hub says what it needs of a log, the store does not know that: here it shows.
var _ hub.Log = (*store.Store)(nil)

// fileName is the store's file in Config.Data.
const fileName = "edgechat.db"

// rulesName is that of what moderators have decided.
const rulesName = "edgechat.rules"

// open opens what stands between the listeners and the disk, from the disk up.
// An error leaves nothing of it open.
func (s *Server) open() (err error) {
	checker, err := auth.New(auth.Config{Tokens: s.tokens, Keys: s.keys, Anonymous: s.cfg.Anonymous})
	if err != nil {
		return err
	}
	policy, err := browser.New(browser.Config{Hosts: s.cfg.AllowedHosts, Origins: s.cfg.AllowedOrigins, Ports: append(portsOf(s.listeners), portsOf(s.secure)...), Peers: s.advertised.peers()})
	if err != nil {
		return err
	}
	if s.cfg.Advertise != "" && !policy.Names(s.cfg.Advertise) {
		s.log.Warn("not reached by the address for clients of other nodes", "url", s.cfg.Advertise, "hint", "browsers come under its name: add it to --allowed-hosts")
	}
	pages, err := web.Handler(web.Config{FrameAncestors: s.cfg.FrameAncestors, Nodes: s.advertised.origins})
	if err != nil {
		return err
	}
	proxies := limit.NewProxies(s.cfg.TrustedProxies)
	if err := s.openPortal(proxies); err != nil {
		return err
	}
	messages, err := s.openLog()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			if s.rules != nil {
				_ = s.rules.Close() // nobody has made one
			}
			_ = s.closeLog() // nothing was written
		}
	}()
	s.findOldRooms()
	rules := moderation.Config{Path: filepath.Join(s.cfg.Data, rulesName), Most: s.cfg.ModerationRules, SlowPerAddress: s.cfg.SlowPerAddress, Logger: s.log}
	if s.cluster != nil {
		rules.Node, rules.Spread = s.cfg.NodeName, s.cluster.Spread
	}
	if s.rules, err = moderation.Open(rules); err != nil {
		return err
	}
	var announced func(string, *codec.Event)
	if s.cluster != nil {
		announced = s.cluster.Announced
	}
	if s.hub, err = hub.New(hub.Config{Log: messages, Announced: announced, Formats: chat.Formats(), MembersPerRoom: s.cfg.MembersPerRoom, Logger: s.log}); err != nil {
		return err
	}
	if s.router, err = ws.NewRouter(ws.Config{PingInterval: s.cfg.PingInterval, WriteTimeout: s.cfg.WriteTimeout, MessageTimeout: s.cfg.MessageTimeout,
		Gate: s.gate(policy), BasePath: s.cfg.BasePath,
		Proxies: proxies, Limits: s.cfg.Connections, Logger: s.log}); err != nil {
		return err
	}
	s.chat, err = chat.Register(s.router, chat.Config{
		Hub:         s.hub,
		Log:         messages,
		Late:        s.cluster != nil,
		Elsewhere:   s.advertised.addresses,
		Auth:        checker,
		MaxContent:  s.cfg.MaxContent,
		ReplayLimit: s.cfg.ReplayLimit,
		Logger:      s.log,

		Rules:              s.rules,
		RoomsPerConnection: s.cfg.RoomsPerConnection,
		Limits:             s.cfg.Limits,
		Nodes:              s.nodes(),
	})
	if err != nil {
		s.shutRouter() // it has no connection yet, but a goroutine
		return err
	}
	if s.cluster != nil {
		s.cluster.Share(s.rules)
		s.cluster.Meet(s.hub)
	}
	s.router.HTTP(http.MethodGet, "/healthz", s.healthz)
	s.router.HTTP(http.MethodGet, "/readyz", s.readyz)
	s.router.HTTP(http.MethodGet, "/metrics", s.metrics, s.mayScrape)
	s.webRoutes(pages)
	s.trustRoutes()
	s.portalRoutes()
	return nil
}

// webRoutes adds the pages for browsers. They are served to everyone: who may
// read and write is decided where the page connects.
func (s *Server) webRoutes(pages http.Handler) {
	for _, path := range web.Routes() {
		s.router.HTTP(http.MethodGet, path, func(w http.ResponseWriter, r *ws.Request) error {
			pages.ServeHTTP(w, r.Request)
			return nil
		})
	}
}

// Stats is a snapshot of the counters of all parts.
type Stats struct {
	WS      ws.Stats
	Hub     hub.Stats
	Store   store.Stats
	Chat    chat.Stats
	Captive captive.Stats // zero without Config.Captive
	Cluster cluster.Stats // zero without Config.Cluster
}

// Stats returns the counters as they are now.
func (s *Server) Stats() Stats {
	all := Stats{WS: s.router.Stats(), Hub: s.hub.Stats(), Store: s.history().Stats(), Chat: s.chat.Stats()}
	if s.portal != nil {
		all.Captive = s.portal.Stats()
	}
	if s.cluster != nil {
		all.Cluster = s.cluster.Stats()
	}
	return all
}
