package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"

	"edgechat/cluster"
)

const (
	claimLife = 5000  // ms
	leadLife  = 20000 // ms
)

// Claim is that of cluster.Engine.
func (e *Engine) Claim(ctx context.Context, run string, me cluster.Claim) (list []cluster.Claim, err error) {
	err = e.calls.do(ctx, func(c redis.Conn) error {
		now, err := redis.Int64s(c.Do("TIME"))
		if err != nil {
			return err
		}
		ms := now[0]*1000 + now[1]/1000
		if _, err := c.Do("HSET", e.key("claims"), me.Node, fmt.Sprintf("%s %d %d %d", run, me.Position, me.Newest, ms+claimLife)); err != nil {
			return err
		}
		if _, err := c.Do("PEXPIRE", e.key("claims"), 2*claimLife); err != nil {
			return err
		}
		m, err := redis.StringMap(c.Do("HGETALL", e.key("claims")))
		if err != nil {
			return err
		}
		for node, v := range m {
			f := strings.Fields(v)
			if len(f) != 4 || f[0] != run {
				continue
			}
			if until, err := strconv.ParseInt(f[3], 10, 64); err != nil || until < ms {
				continue
			}
			claim := cluster.Claim{Node: node}
			claim.Position, _ = strconv.ParseUint(f[1], 10, 64)
			claim.Newest, _ = strconv.ParseUint(f[2], 10, 64)
			list = append(list, claim)
		}
		return nil
	})
	return list, understood(err)
}

// leads is what each script of a leader begins with. KEYS: lead, meta. ARGV: run, node, life in ms.
const leads = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] .. ' ' .. ARGV[2] then return redis.error_reply('UNVERIFIED another node leads') end
if redis.call('HGET', KEYS[2], 'gen') == ARGV[1] and redis.call('HGET', KEYS[3], '') == '1' then return redis.error_reply('UNVERIFIED it is verified already') end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
`

// restoreScript: KEYS: lead, meta, heads, log. ARGV: as leads, what keys begin with, their life, Keep, number of heads, room and offset of each; then
// position, room, offset, key and record of each entry.
const restoreScript = leads + `
local at = 8
for i = 1, tonumber(ARGV[7]) do
  local have = tonumber(redis.call('HGET', KEYS[3], ARGV[at]) or '0')
  if have < tonumber(ARGV[at+1]) then redis.call('HSET', KEYS[3], ARGV[at], ARGV[at+1]) end
  at = at + 2
end
for i = at, #ARGV, 5 do
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[6], ARGV[i], 'r', ARGV[i+1], 'o', ARGV[i+2], 'm', ARGV[i+4])
  local have = tonumber(redis.call('HGET', KEYS[3], ARGV[i+1]) or '0')
  if have < tonumber(ARGV[i+2]) then redis.call('HSET', KEYS[3], ARGV[i+1], ARGV[i+2]) end
  if ARGV[i+3] ~= '' then
    local n, seq = string.match(ARGV[i], '(%d+)-(%d+)')
    redis.call('SET', ARGV[4] .. ARGV[i+3], ARGV[i+2] .. ' ' .. n .. ' ' .. seq, 'PX', ARGV[5])
  end
end
return redis.status_reply('OK')
`

// retractScript: KEYS: lead, meta, heads, log. ARGV: as leads, what keys begin with; then position, room, offset and key of each entry.
const retractScript = leads + `
for i = 5, #ARGV, 4 do
  redis.call('XDEL', KEYS[4], ARGV[i])
  local have = tonumber(redis.call('HGET', KEYS[3], ARGV[i+1]) or '0')
  if have >= tonumber(ARGV[i+2]) then redis.call('HSET', KEYS[3], ARGV[i+1], ARGV[i+2] - 1) end
  if ARGV[i+3] ~= '' then redis.call('DEL', ARGV[4] .. ARGV[i+3]) end
end
return redis.status_reply('OK')
`

// openScript: KEYS: lead, meta, heads, epochs. ARGV: as leads, n, name, start, the count before it; then number, and start and name, of each before.
const openScript = leads + `
if redis.call('HEXISTS', KEYS[4], ARGV[4]) == 1 then return redis.error_reply('UNVERIFIED the epoch is there already') end
redis.call('HSET', KEYS[3], '', '1')
for i = 8, #ARGV, 2 do redis.call('HSETNX', KEYS[4], ARGV[i], ARGV[i+1]) end
redis.call('HSET', KEYS[4], ARGV[4], ARGV[6] .. ' ' .. ARGV[5])
redis.call('HSET', KEYS[2], 'gen', ARGV[1], 'n', ARGV[4], 'name', ARGV[5], 'start', ARGV[6], 'seq', ARGV[7])
redis.call('DEL', KEYS[1])
return redis.status_reply('OK')
`

// Lead is that of cluster.Engine.
func (e *Engine) Lead(ctx context.Context, run, node string) (leads bool, err error) {
	err = e.calls.do(ctx, func(c redis.Conn) error {
		_, err := redis.String(c.Do("SET", e.key("lead"), run+" "+node, "NX", "PX", leadLife))
		if errors.Is(err, redis.ErrNil) {
			var who string
			if who, err = redis.String(c.Do("GET", e.key("lead"))); errors.Is(err, redis.ErrNil) {
				return nil
			}
			leads = who == run+" "+node
			if err == nil && !leads && !strings.HasPrefix(who, run+" ") { // of an earlier run
				_, err = c.Do("DEL", e.key("lead"))
			}
			return err
		}
		leads = err == nil
		return err
	})
	return leads, understood(err)
}

// restorePart is how many heads go into one script.
const restorePart = 1000

// Restore is that of cluster.Engine.
func (e *Engine) Restore(ctx context.Context, run, node string, entries []cluster.Entry, heads map[string]uint64) error {
	call := func(heads []any, entries []cluster.Entry) error {
		args := []any{restoreScript, 4, e.key("lead"), e.key("meta"), e.key("heads"), e.key("log"),
			run, node, leadLife, e.key("k:"), keyTime.Milliseconds(), e.cfg.Keep, len(heads) / 2}
		args = append(args, heads...)
		for _, x := range entries {
			args = append(args, formatPosition(x.Position), x.Room, x.Offset, x.Key, x.Record)
		}
		return e.calls.do(ctx, func(c redis.Conn) error {
			_, err := c.Do("EVAL", args...)
			return err
		})
	}
	var part []any
	for room, head := range heads {
		if part = append(part, room, head); len(part) == 2*restorePart {
			if err := call(part, nil); err != nil {
				return understood(err)
			}
			part = nil
		}
	}
	return understood(call(part, entries))
}

// Retract is that of cluster.Engine. meta has the count still, which Open sets.
func (e *Engine) Retract(ctx context.Context, run, node string, entries []cluster.Entry) error {
	args := []any{retractScript, 4, e.key("lead"), e.key("meta"), e.key("heads"), e.key("log"), run, node, leadLife, e.key("k:")}
	for _, x := range entries {
		args = append(args, formatPosition(x.Position), x.Room, x.Offset, x.Key)
	}
	return understood(e.calls.do(ctx, func(c redis.Conn) error {
		_, err := c.Do("EVAL", args...)
		return err
	}))
}

// Open is that of cluster.Engine.
func (e *Engine) Open(ctx context.Context, run, node string, x cluster.Epoch, before []cluster.Epoch) error {
	args := []any{openScript, 4, e.key("lead"), e.key("meta"), e.key("heads"), e.key("epochs"), run, node, leadLife, x.N, x.Name, x.Start, x.Start - 1}
	for _, b := range before {
		args = append(args, b.N, fmt.Sprintf("%d %s", b.Start, b.Name))
	}
	return understood(e.calls.do(ctx, func(c redis.Conn) error {
		_, err := c.Do("EVAL", args...)
		return err
	}))
}

// distrustScript: KEYS: meta. ARGV: run.
const distrustScript = `
if redis.call('HGET', KEYS[1], 'gen') == ARGV[1] then redis.call('HSET', KEYS[1], 'gen', '') end
return redis.status_reply('OK')
`

// Distrust is that of cluster.Engine.
func (e *Engine) Distrust(ctx context.Context, run string) error {
	return understood(e.calls.do(ctx, func(c redis.Conn) error {
		_, err := c.Do("EVAL", distrustScript, 1, e.key("meta"), run)
		return err
	}))
}

// Broadcast is that of cluster.Engine.
func (e *Engine) Broadcast(ctx context.Context, payload []byte) error {
	return understood(e.calls.do(ctx, func(c redis.Conn) error {
		_, err := c.Do("PUBLISH", e.key("presence"), payload)
		return err
	}))
}

// deafAfter is after what time a subscription that heard nothing is given up: each node hears itself every second.
const deafAfter = 5 * time.Second

// Listen is that of cluster.Engine.
func (e *Engine) Listen(ctx context.Context, heard func(payload []byte)) error {
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, c.hangUp)
	defer stop()
	ps := redis.PubSubConn{Conn: c.Conn}
	if err := ps.Subscribe(e.key("presence")); err != nil {
		return err
	}
	for {
		switch v := ps.ReceiveWithTimeout(deafAfter).(type) {
		case redis.Message:
			heard(v.Data)
		case error:
			return v
		}
	}
}
