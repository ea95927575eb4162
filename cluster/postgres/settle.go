package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"edgechat/cluster"
)

// Claim is that of cluster.Engine.
func (e *Engine) Claim(ctx context.Context, run string, me cluster.Claim) (list []cluster.Claim, err error) {
	err = e.calls.do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		_, err := rows(ctx, c, e.in(`insert into S.claim values ($1, $2, $3::bigint, $4::bigint, clock_timestamp() + '5 s')
			on conflict (node) do update set run = excluded.run, position = excluded.position, newest = excluded.newest, until = excluded.until`),
			me.Node, run, strconv.FormatUint(me.Position, 10), strconv.FormatUint(me.Newest, 10))
		if err != nil {
			return err
		}
		found, err := rows(ctx, c, e.in("select node, position, newest from S.claim where run = $1 and until > clock_timestamp()"), run)
		for _, r := range found {
			list = append(list, cluster.Claim{Node: string(r[0]), Position: number(r[1]), Newest: number(r[2])})
		}
		return err
	})
	return list, err
}

// Lead is that of cluster.Engine.
func (e *Engine) Lead(ctx context.Context, run, node string) (leads bool, err error) {
	err = e.calls.do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		found, err := rows(ctx, c, e.in(`update S.meta set lead = $1::text || ' ' || $2::text, lead_until = clock_timestamp() + '20 s'
			where id = 1 and gen <> $1 and (lead = $1 || ' ' || $2 or lead_until < clock_timestamp() or lead not like $1 || ' %') returning id`), run, node)
		leads = len(found) > 0
		return err
	})
	return leads, err
}

// Restore is that of cluster.Engine.
func (e *Engine) Restore(ctx context.Context, run, node string, entries []cluster.Entry, heads map[string]uint64) error {
	rooms := make([]string, 0, len(heads))
	for room := range heads {
		rooms = append(rooms, room)
	}
	return e.calls.do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		n := len(entries)
		return c.ExecParams(ctx, e.in("select S.restore($1, $2, $3, $4, $5, $6, $7, $8, $9)"), [][]byte{
			[]byte(run), []byte(node),
			array(typeText, len(rooms), func(i int) []byte { return []byte(rooms[i]) }),
			array(typeInt8, len(rooms), func(i int) []byte { return int8Of(heads[rooms[i]]) }),
			array(typeInt8, n, func(i int) []byte { return int8Of(entries[i].Position) }),
			array(typeText, n, func(i int) []byte { return []byte(entries[i].Room) }),
			array(typeInt8, n, func(i int) []byte { return int8Of(entries[i].Offset) }),
			array(typeBytes, n, func(i int) []byte { return []byte(entries[i].Key) }),
			array(typeBytes, n, func(i int) []byte { return entries[i].Record }),
		}, []uint32{typeText, typeText, typeTextArray, typeInt8Array, typeInt8Array, typeTextArray, typeInt8Array, typeBytesArray, typeBytesArray}, binaryFormat, nil).Read().Err
	})
}

// Retract is that of cluster.Engine. A key is part of its entry.
func (e *Engine) Retract(ctx context.Context, run, node string, entries []cluster.Entry) error {
	return e.calls.do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		n := len(entries)
		return c.ExecParams(ctx, e.in("select S.retract($1, $2, $3, $4, $5)"), [][]byte{
			[]byte(run), []byte(node),
			array(typeInt8, n, func(i int) []byte { return int8Of(entries[i].Position) }),
			array(typeText, n, func(i int) []byte { return []byte(entries[i].Room) }),
			array(typeInt8, n, func(i int) []byte { return int8Of(entries[i].Offset) }),
		}, []uint32{typeText, typeText, typeInt8Array, typeTextArray, typeInt8Array}, binaryFormat, nil).Read().Err
	})
}

// Open is that of cluster.Engine.
func (e *Engine) Open(ctx context.Context, run, node string, x cluster.Epoch, before []cluster.Epoch) error {
	return e.calls.do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		n := len(before)
		return c.ExecParams(ctx, e.in("select S.open($1, $2, $3, $4, $5, $6, $7, $8)"), [][]byte{
			[]byte(run), []byte(node), int8Of(x.N), []byte(x.Name), int8Of(x.Start),
			array(typeInt8, n, func(i int) []byte { return int8Of(before[i].N) }),
			array(typeText, n, func(i int) []byte { return []byte(before[i].Name) }),
			array(typeInt8, n, func(i int) []byte { return int8Of(before[i].Start) }),
		}, []uint32{typeText, typeText, typeInt8, typeText, typeInt8, typeInt8Array, typeTextArray, typeInt8Array}, binaryFormat, nil).Read().Err
	})
}

// Distrust is that of cluster.Engine.
func (e *Engine) Distrust(ctx context.Context, run string) error {
	return e.calls.do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		_, err := rows(ctx, c, e.in("update S.meta set gen = '' where id = 1 and gen = $1"), run)
		return err
	})
}

// Broadcast is that of cluster.Engine.
func (e *Engine) Broadcast(ctx context.Context, payload []byte) error {
	return e.bell.do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		_, err := rows(ctx, c, "select pg_notify($1, $2)", e.channel+"P", string(payload))
		return err
	})
}

// deafAfter is after what time a session that heard nothing is given up: each node hears itself every second. A pooler that gives
// sessions away after each transaction is found by that.
const deafAfter = 5 * time.Second

// Listen is that of cluster.Engine.
func (e *Engine) Listen(ctx context.Context, heard func(payload []byte)) error {
	conn := e.conn.Copy()
	conn.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { heard([]byte(n.Payload)) }
	dial, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	c, err := connect(dial, conn)
	if err != nil {
		return err
	}
	defer hangUp(c)
	if _, err := c.Exec(dial, `listen "`+e.channel+`P"`).ReadAll(); err != nil {
		return err
	}
	for ctx.Err() == nil {
		wait, cancel := context.WithTimeout(ctx, deafAfter)
		err := c.WaitForNotification(wait)
		late := wait.Err() != nil
		cancel()
		if late && ctx.Err() == nil {
			return fmt.Errorf("postgres: the session hears nothing: %w", errPooler)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}
