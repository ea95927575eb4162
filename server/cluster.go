package server

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"edgechat/admin"
	"edgechat/cluster"
	"edgechat/hub"
	"edgechat/moderation"
	"edgechat/store"
)

var (
	_ hub.Log        = (*cluster.Log)(nil)
	_ cluster.Ledger = (*moderation.Rules)(nil)
)

// openLog opens what numbers and keeps the messages: the store alone, or a cluster's log and the store that follows it.
func (s *Server) openLog() (hub.Log, error) {
	cfg := store.Config{
		Path:         filepath.Join(s.cfg.Data, fileName),
		History:      s.cfg.History,
		HistoryBytes: s.cfg.HistoryBytes,
		Rooms:        s.cfg.Rooms,
		SyncInterval: s.cfg.SyncInterval,
		Logger:       s.log,
	}
	if s.cfg.Cluster == "" {
		var err error
		s.store, err = store.Open(cfg)
		return s.store, err
	}
	engine, err := clusterEngine(&s.cfg)
	if err != nil {
		return nil, err
	}
	if wrap := s.cfg.engine; wrap != nil {
		engine = wrap(engine)
	}
	if s.follower, err = store.OpenFollower(cfg); err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	if s.cluster, err = cluster.Open(cluster.Config{Store: s.follower, Engine: engine, Node: s.cfg.NodeName,
		Address: s.cfg.Advertise, Heard: s.advertised.heard, Logger: s.log}); err != nil {
		return nil, errors.Join(err, engine.Close(), s.follower.Close())
	}
	return s.cluster, nil
}

// history returns the store as it is now.
func (s *Server) history() *store.Store {
	if s.follower != nil {
		return s.follower.Store()
	}
	return s.store
}

// closeLog closes what openLog has opened.
func (s *Server) closeLog() error {
	if s.cluster == nil {
		return s.store.Close()
	}
	return errors.Join(s.cluster.Close(), s.follower.Close())
}

// clusterProblems says why messages are not taken, and what is not as it should be.
func (s *Server) clusterProblems() (problems, warnings []admin.Problem) {
	if s.cluster == nil {
		return nil, nil
	}
	if err := s.cluster.Ready(); err != nil {
		hint := "see that the engine runs and answers; until then clients keep what they say, and everything can be read"
		if errors.Is(err, cluster.ErrForeign) {
			hint = "move the data folder aside, or restore a backup of another node in its place"
		}
		problems = append(problems, admin.Problem{Code: "cluster", Message: err.Error(), Hint: hint})
	}
	if since, why := s.cluster.Deaf(); !since.IsZero() {
		text := fmt.Sprintf("no node is heard since %s: who is on others stays as it was then, and they hear of no ban", since.UTC().Format(time.RFC3339))
		if why != nil {
			text += ": " + why.Error()
		}
		warnings = append(warnings, admin.Problem{Code: "cluster_deaf", Message: text,
			Hint: "see that the engine runs and answers; nodes tell each other what they have missed when it does"})
	}
	st := s.cluster.Stats()
	if st.Lag > clusterLag {
		warnings = append(warnings, admin.Problem{Code: "cluster_lag", Message: fmt.Sprintf("this node is %d messages behind the engine", st.Lag),
			Hint: "if it stays, the node or its connection to the engine is too slow"})
	}
	if st.Twins > 0 {
		warnings = append(warnings, admin.Problem{Code: "node_name", Message: fmt.Sprintf("another process of the cluster is called %q too", s.cfg.NodeName),
			Hint: "give each node its own --node-name; their members are mixed up until then"})
	}
	return problems, warnings
}

// clusterStatus returns how the cluster stands, nil without one.
func (s *Server) clusterStatus() *admin.Cluster {
	if s.cluster == nil {
		return nil
	}
	st, counts := s.cluster.Status(), s.cluster.Stats()
	c := &admin.Cluster{
		Name: s.cfg.ClusterName, Node: st.Node, Engine: st.Engine, Ready: s.cluster.Ready() == nil, Durable: st.State.Durable, Setting: st.State.Setting,
		Epoch: st.State.Epoch.Name, Number: st.State.Epoch.N, Position: cluster.CountOf(st.Position), Last: cluster.CountOf(st.State.Last), Queue: counts.Queue,
	}
	if since, why := s.cluster.Deaf(); !since.IsZero() {
		c.Deaf = max(time.Since(since).Seconds(), 0.001)
		if why != nil {
			c.DeafWhy = why.Error()
		}
	}
	for _, p := range st.Peers {
		c.Peers = append(c.Peers, admin.Node{Name: p.Node, Address: p.Address, Heard: p.Heard.Seconds(), Members: p.Members})
	}
	return c
}

// nodes is chat.Config.Nodes, nil for a server that is alone.
func (s *Server) nodes() func() (here string, others []string) {
	if s.cluster == nil {
		return nil
	}
	return func() (here string, others []string) {
		if since, _ := s.cluster.Deaf(); since.IsZero() {
			for _, p := range s.cluster.Status().Peers {
				others = append(others, p.Node)
			}
		}
		return s.cfg.NodeName, others
	}
}

// clusterLag is how many messages a node may be behind before it warns: what comes in some seconds.
const clusterLag = 10_000
