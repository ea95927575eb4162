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

	"edgechat/browser"
	"edgechat/cluster"
	"edgechat/cluster/postgres"
	"edgechat/cluster/redis"
)

// DefaultClusterName is that of a Config without one.
const DefaultClusterName = "edgechat"

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
	if err := CheckClusterName(cfg.ClusterName); err != nil {
		return fmt.Errorf("server: ClusterName: %w", err)
	}
	if err := CheckNodeName(cfg.NodeName); err != nil {
		return fmt.Errorf("server: NodeName: %w", err)
	}
	engine, err := clusterEngine(cfg)
	if err != nil {
		return err
	}
	return engine.Close()
}

// CheckClusterName says why a name is none for a cluster.
func CheckClusterName(name string) error { return cluster.CheckName(name, cluster.MostName) }

// CheckNodeName says why a name is none for a node.
func CheckNodeName(name string) error { return cluster.CheckName(name, cluster.MostNodeName) }

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

// ClusterStatements returns what an administrator runs so that nodes may connect to cfg's engine as role.
func ClusterStatements(cfg Config, role string) (string, error) {
	cfg.ClusterName = cmp.Or(cfg.ClusterName, DefaultClusterName)
	engine, err := clusterEngine(&cfg)
	if err != nil {
		return "", err
	}
	defer engine.Close()
	if pg, ok := engine.(*postgres.Engine); ok {
		return pg.Statements(role), nil
	}
	return "-- Redis has nothing to be made. Set appendonly yes, appendfsync always or everysec, and maxmemory-policy noeviction.\n", nil
}
