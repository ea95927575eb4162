package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/gomodule/redigo/redis"

	"edgechat/cluster"
)

// State is that of cluster.Engine. The run is that of the server's process.
func (e *Engine) State(ctx context.Context) (st cluster.State, err error) {
	replica := false
	err = e.calls.do(ctx, func(c redis.Conn) error {
		for _, cmd := range [][]any{
			{"INFO"}, {"CONFIG", "GET", "appendfsync"}, {"HMGET", e.key("meta"), "gen", "n", "name", "start", "seq"},
			{"HGET", e.key("heads"), ""}, {"XREVRANGE", e.key("log"), "+", "-", "COUNT", 1},
		} {
			if err := c.Send(cmd[0].(string), cmd[1:]...); err != nil {
				return err
			}
		}
		if err := c.Flush(); err != nil {
			return err
		}
		text, err := redis.String(c.Receive())
		fsync, fsyncErr := redis.Strings(c.Receive())
		meta, metaErr := redis.Strings(c.Receive())
		sentinel, sentinelErr := redis.String(c.Receive())
		newest, newestErr := redis.Values(c.Receive())
		switch {
		case c.Err() != nil:
			return c.Err()
		case err != nil:
			return err
		case metaErr != nil:
			return metaErr
		case newestErr != nil && newestErr != redis.ErrNil:
			return newestErr
		case sentinelErr != nil && sentinelErr != redis.ErrNil:
			return sentinelErr
		}
		info := parseInfo(text)
		if st.Run = info["run_id"]; st.Run == "" {
			return fmt.Errorf("redis: %s does not say its run_id", e.cfg.Address)
		}
		e.renew(st.Run)
		st.Epoch.N, _ = strconv.ParseUint(meta[1], 10, 24)
		st.Epoch.Name = meta[2]
		st.Epoch.Start, _ = strconv.ParseUint(meta[3], 10, 40)
		seq, _ := strconv.ParseUint(meta[4], 10, 40)
		st.Last = cluster.PositionOf(st.Epoch.N, seq)
		if len(newest) > 0 { // what the log has counts, where meta was lost
			entry, err := redis.Values(newest[0], nil)
			if err != nil {
				return err
			}
			id, err := redis.String(entry[0], nil)
			if err != nil {
				return err
			}
			p, err := parsePosition(id)
			if err != nil {
				return err
			}
			if cluster.CountOf(p) > seq {
				st.Last = p
			}
		}
		st.Verified = meta[0] == st.Run && sentinel == "1"
		st.Durable, st.Setting = durability(info, fsync, fsyncErr)
		st.Problem = problem(info)
		replica = info["role"] == "slave"
		return nil
	})
	if replica { // a primary that was demoted keeps its connections, and its address may lead to the new one by now
		for _, l := range []*lane{e.calls, e.writes, e.tail} {
			l.retire()
		}
	}
	return st, understood(err)
}

// renew gives up connections to a process that is no more, which nobody has used since.
func (e *Engine) renew(run string) {
	e.mu.Lock()
	was := e.run
	e.run = run
	e.mu.Unlock()
	if was != "" && was != run {
		e.writes.retire()
		e.tail.retire()
	}
}

func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok {
			info[key] = value
		}
	}
	return info
}

// durability says whether what was appended survives a power cut.
func durability(info map[string]string, fsync []string, err error) (bool, string) {
	if info["aof_enabled"] != "1" {
		return false, "no append-only file"
	}
	if err != nil || len(fsync) != 2 {
		return false, "an append-only file; CONFIG GET appendfsync is not allowed, so that it is taken for everysec"
	}
	return fsync[1] == "always", "appendfsync " + fsync[1]
}

// problem says why a server is not fit for a log.
func problem(info map[string]string) string {
	switch policy := info["maxmemory_policy"]; {
	case info["role"] == "slave":
		return fmt.Sprintf("it is a replica of %s:%s: name the primary", info["master_host"], info["master_port"])
	case info["loading"] == "1":
		return "it loads its file"
	case info["cluster_enabled"] == "1":
		return "it is a Redis Cluster: use one server, or a primary with replicas"
	case info["maxmemory"] != "0" && strings.HasPrefix(policy, "allkeys-"):
		return fmt.Sprintf("maxmemory-policy is %s, which evicts what is acknowledged: set noeviction", policy)
	case info["maxmemory"] != "0" && strings.HasPrefix(policy, "volatile-"):
		return fmt.Sprintf("maxmemory-policy is %s, which evicts the keys of what was said, so that it may be taken twice: set noeviction", policy)
	}
	return ""
}

// Epochs is that of cluster.Engine.
func (e *Engine) Epochs(ctx context.Context) (list []cluster.Epoch, err error) {
	err = e.calls.do(ctx, func(c redis.Conn) error {
		m, err := redis.StringMap(c.Do("HGETALL", e.key("epochs")))
		if err != nil {
			return err
		}
		for k, v := range m {
			n, err := strconv.ParseUint(k, 10, 24)
			if err != nil {
				return fmt.Errorf("redis: epoch %q: %w", k, err)
			}
			at, name, _ := strings.Cut(v, " ")
			start, err := strconv.ParseUint(at, 10, 40)
			if err != nil {
				return fmt.Errorf("redis: start of epoch %d: %w", n, err)
			}
			list = append(list, cluster.Epoch{N: n, Name: name, Start: start})
		}
		return nil
	})
	return list, understood(err)
}

// Heads is that of cluster.Engine.
func (e *Engine) Heads(ctx context.Context) (heads map[string]uint64, err error) {
	err = e.calls.do(ctx, func(c redis.Conn) (err error) {
		heads, err = redis.Uint64Map(c.Do("HGETALL", e.key("heads")))
		delete(heads, "")
		return err
	})
	return heads, understood(err)
}
