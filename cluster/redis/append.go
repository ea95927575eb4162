package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gomodule/redigo/redis"

	"edgechat/cluster"
)

// appendScript is all of an append. KEYS: meta, log, heads. ARGV: run, what keys begin with, their life in ms, Keep, the least epoch and count; then room, hash
// of key and record of each message. It answers "offset n seq" of each, with a "=" in front if it was there.
const appendScript = `
local m = redis.call('HMGET', KEYS[1], 'gen', 'n', 'seq')
if m[1] ~= ARGV[1] or redis.call('HGET', KEYS[3], '') ~= '1' then return redis.error_reply('UNVERIFIED the log is not verified for this run') end
local n, seq = m[2], tonumber(m[3])
if tonumber(n) < tonumber(ARGV[5]) or seq < tonumber(ARGV[6]) then return redis.error_reply('UNVERIFIED the log has less than it had') end
local out = {}
for i = 7, #ARGV, 3 do
  local room, key = ARGV[i], ARGV[i+1]
  local known = key ~= '' and redis.call('GET', ARGV[2] .. key)
  if known then
    out[#out+1] = '=' .. known
  else
    seq = seq + 1
    local count = string.format('%.0f', seq)
    local offset = redis.call('HINCRBY', KEYS[3], room, 1)
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], n .. '-' .. count, 'r', room, 'o', offset, 'm', ARGV[i+2])
    local v = string.format('%.0f', offset) .. ' ' .. n .. ' ' .. count
    if key ~= '' then redis.call('SET', ARGV[2] .. key, v, 'PX', ARGV[3]) end
    out[#out+1] = v
  end
end
redis.call('HSET', KEYS[1], 'seq', string.format('%.0f', seq))
return out
`

// scriptOf is the script for a run: another text, and so another name, for each.
func scriptOf(run string) string { return "-- edgechat, run " + run + appendScript }

// Append is that of cluster.Engine.
func (e *Engine) Append(ctx context.Context, run string, least uint64, items []cluster.Item) (out []cluster.Outcome, err error) {
	err = e.writes.do(ctx, func(c redis.Conn) error {
		name, err := e.load(c, run)
		if err != nil {
			return err
		}
		args := make([]any, 0, 11+3*len(items))
		args = append(args, name, 3, e.key("meta"), e.key("log"), e.key("heads"), run, e.key("k:"), keyTime.Milliseconds(), e.cfg.Keep, cluster.EpochOf(least), cluster.CountOf(least))
		for _, x := range items {
			args = append(args, x.Room, x.Key, x.Record)
		}
		list, err := redis.Strings(c.Do("EVALSHA", args...))
		var reply redis.Error
		if errors.As(err, &reply) && strings.HasPrefix(reply.Error(), "NOSCRIPT") { // also of one whose scripts somebody has flushed
			e.writes.run = ""
		}
		if err != nil {
			return err
		}
		out = make([]cluster.Outcome, len(list))
		for i, v := range list {
			if out[i], err = parseOutcome(v); err != nil {
				return err
			}
		}
		return nil
	})
	return out, understood(err)
}

// load has the script known to the server, if it is in that run, and returns its name.
func (e *Engine) load(c redis.Conn, run string) (string, error) {
	l := e.writes
	if l.run != run {
		text, err := redis.String(c.Do("INFO", "server"))
		if err != nil {
			return "", err
		}
		if now := parseInfo(text)["run_id"]; now != run {
			return "", fmt.Errorf("%w: the server is in run %s", cluster.ErrUnverified, now)
		}
		if l.script, err = redis.String(c.Do("SCRIPT", "LOAD", scriptOf(run))); err != nil {
			return "", err
		}
		l.run = run
	}
	return l.script, nil
}

func parseOutcome(v string) (out cluster.Outcome, err error) {
	v, out.Duplicate = strings.CutPrefix(v, "=")
	f := strings.Fields(v)
	if len(f) != 3 {
		return out, fmt.Errorf("redis: an outcome %q", v)
	}
	offset, err1 := strconv.ParseUint(f[0], 10, 63)
	n, err2 := strconv.ParseUint(f[1], 10, 24)
	seq, err3 := strconv.ParseUint(f[2], 10, 40)
	if err1 != nil || err2 != nil || err3 != nil {
		return out, fmt.Errorf("redis: an outcome %q", v)
	}
	out.Offset, out.Position = offset, cluster.PositionOf(n, seq)
	return out, nil
}

// After is that of cluster.Engine.
func (e *Engine) After(ctx context.Context, position uint64) (list []cluster.Entry, err error) {
	err = e.tail.do(ctx, func(c redis.Conn) error {
		reply, err := redis.Values(redis.DoWithTimeout(c, tailWait+callTime, "XREAD", "COUNT", e.page, "BLOCK", tailWait.Milliseconds(), "STREAMS", e.key("log"), formatPosition(position)))
		if err == redis.ErrNil {
			return nil
		}
		if err != nil {
			e.page = max(1, e.page/4) // an answer may be more than the server gives at once, or than comes in time
			return err
		}
		e.page = min(pageSize, e.page+e.page/8+1)
		stream, err := redis.Values(reply[0], nil)
		if err != nil {
			return err
		}
		entries, err := redis.Values(stream[1], nil)
		if err != nil {
			return err
		}
		for _, x := range entries {
			entry, err := parseEntry(x)
			if err != nil {
				return err
			}
			list = append(list, entry)
		}
		return nil
	})
	return list, understood(err)
}

func parseEntry(x any) (e cluster.Entry, err error) {
	pair, err := redis.Values(x, nil)
	if err != nil || len(pair) != 2 {
		return e, fmt.Errorf("redis: an entry of %d parts: %w", len(pair), err)
	}
	id, err := redis.String(pair[0], nil)
	if err != nil {
		return e, err
	}
	if e.Position, err = parsePosition(id); err != nil {
		return e, err
	}
	fields, err := redis.ByteSlices(pair[1], nil)
	if err != nil || len(fields) != 6 {
		return e, fmt.Errorf("redis: entry %s has %d fields: %w", id, len(fields), err)
	}
	for i := 0; i < 6; i += 2 {
		switch v := fields[i+1]; string(fields[i]) {
		case "r":
			e.Room = string(v)
		case "o":
			if e.Offset, err = strconv.ParseUint(string(v), 10, 63); err != nil {
				return e, fmt.Errorf("redis: offset of entry %s: %w", id, err)
			}
		case "m":
			e.Record = v
		}
	}
	return e, nil
}
