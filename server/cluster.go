package server

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"edgechat/admin"
	"edgechat/browser"
	"edgechat/cluster"
	"edgechat/cluster/postgres"
	"edgechat/cluster/redis"
	"edgechat/hub"
	"edgechat/moderation"
	"edgechat/store"
)

var (
	_ hub.Log        = (*cluster.Log)(nil)
	_ cluster.Ledger = (*moderation.Rules)(nil)
)

// DefaultClusterName is that of a Config without one.
const DefaultClusterName = "edgechat"

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

// clusterDefaults completes and checks what cfg says of a cluster.
func (cfg *Config) clusterDefaults() error {
	if cfg.Cluster == "" {
		if cfg.Advertise != "" {
			return errors.New("server: there is an address for clients of other nodes, and no cluster: name its engine, or leave the address out")
		}
		return nil
	}
	if cfg.Advertise != "" {
		address, _, err := browser.ParseAddress(cfg.Advertise)
		if err != nil {
			return fmt.Errorf("server: the address for clients of other nodes %w", err)
		}
		cfg.Advertise = address
	}
	if cfg.ClusterName == "" {
		cfg.ClusterName = DefaultClusterName
	}
	if cfg.NodeName == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("server: this machine has no name: %w: name the node", err)
		}
		cfg.NodeName = name
	}
	for what, name := range map[string]string{"ClusterName": cfg.ClusterName, "NodeName": cfg.NodeName} {
		if err := CheckClusterName(name); err != nil {
			return fmt.Errorf("server: %s: %w", what, err)
		}
	}
	engine, err := clusterEngine(cfg)
	if err != nil {
		return err
	}
	return engine.Close()
}

// CheckClusterName says why a name is none for a cluster or a node.
func CheckClusterName(name string) error {
	if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return fmt.Errorf("%q: from 1 to 64 letters, digits, - . and _", name)
	}
	return nil
}

// ShownCluster returns the address of an engine without its passwords.
func ShownCluster(address string) string {
	if strings.HasPrefix(address, "unix:") || address == "" {
		return address
	}
	u, err := url.Parse(address)
	if err != nil {
		return "(not an address)"
	}
	q, hidden := u.Query(), false
	for _, name := range []string{"password", "sslpassword"} { // as libpq takes them
		if q.Has(name) {
			q.Set(name, "xxxxx")
			hidden = true
		}
	}
	if hidden {
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}

var (
	errClusterURL = errors.New("server: the address of a cluster's engine is redis://HOST[:PORT][/DB], rediss:// for TLS, " +
		"unix:PATH of a Redis socket, or postgres://USER@HOST[:PORT]/DATABASE")
	errTwoPasswords = errors.New("server: the password of the cluster's engine is in its address and in a file: leave one out")
)

// clusterEngine returns the engine that cfg names. No error has the password.
func clusterEngine(cfg *Config) (cluster.Engine, error) {
	password := ""
	if cfg.ClusterPassword != "" {
		b, err := os.ReadFile(cfg.ClusterPassword)
		if err != nil {
			return nil, fmt.Errorf("server: password of the cluster's engine: %w", err)
		}
		if password = string(bytes.TrimRight(b, "\r\n")); password == "" {
			return nil, fmt.Errorf("server: password of the cluster's engine: %s is empty", cfg.ClusterPassword)
		}
	}
	if path, ok := strings.CutPrefix(cfg.Cluster, "unix:"); ok {
		if !filepath.IsAbs(path) {
			return nil, fmt.Errorf("%w: PATH is to begin with /", errClusterURL)
		}
		return redis.Open(redis.Config{Address: path, Password: password, Name: cfg.ClusterName})
	}
	u, err := url.Parse(cfg.Cluster)
	if err != nil {
		return nil, errClusterURL
	}
	c := redis.Config{Password: password, Name: cfg.ClusterName, Username: u.User.Username()}
	if p, ok := u.User.Password(); ok {
		if password != "" {
			return nil, errTwoPasswords
		}
		c.Password = p
	}
	switch u.Scheme {
	case "redis":
	case "rediss":
		c.TLS = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	case "postgres", "postgresql":
		if _, inURL := u.User.Password(); (inURL || u.Query().Has("password")) && password != "" {
			return nil, errTwoPasswords
		}
		return postgres.Open(postgres.Config{Address: cfg.Cluster, Password: password, Name: cfg.ClusterName})
	default:
		return nil, errClusterURL
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	if u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errClusterURL
	}
	c.Address = net.JoinHostPort(u.Hostname(), port)
	if db := strings.Trim(u.Path, "/"); db != "" {
		if c.Database, err = strconv.Atoi(db); err != nil || c.Database < 0 {
			return nil, errClusterURL
		}
	}
	return redis.Open(c)
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
	if since := s.cluster.Deaf(); !since.IsZero() {
		warnings = append(warnings, admin.Problem{Code: "cluster_deaf", Message: fmt.Sprintf("no node is heard since %s: who is on others stays as it was then, and they hear of no ban", since.UTC().Format(time.RFC3339)),
			Hint: "see that the engine runs and answers; nodes tell each other what they have missed when it does"})
	}
	if st := s.cluster.Stats(); st.Lag > clusterLag {
		warnings = append(warnings, admin.Problem{Code: "cluster_lag", Message: fmt.Sprintf("this node is %d messages behind the engine", st.Lag),
			Hint: "if it stays, the node or its connection to the engine is too slow"})
	}
	if s.cluster.Stats().Twins > 0 {
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
	if since := s.cluster.Deaf(); !since.IsZero() {
		c.Deaf = max(time.Since(since).Seconds(), 0.001)
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
		if s.cluster.Deaf().IsZero() {
			for _, p := range s.cluster.Status().Peers {
				others = append(others, p.Node)
			}
		}
		return s.cfg.NodeName, others
	}
}

// ClusterStatements returns what makes the tables of cfg's engine, for an administrator to run; "" if there is nothing to make.
func ClusterStatements(cfg Config) (string, error) {
	cfg.ClusterName = cmp.Or(cfg.ClusterName, DefaultClusterName)
	engine, err := clusterEngine(&cfg)
	if err != nil {
		return "", err
	}
	defer engine.Close()
	if pg, ok := engine.(*postgres.Engine); ok {
		return pg.Statements(), nil
	}
	return "", nil
}

// clusterLag is how many messages a node may be behind before it warns: what comes in some seconds.
const clusterLag = 10_000
