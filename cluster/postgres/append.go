package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"edgechat/cluster"
)

// Types of PostgreSQL (pg_type.dat).
const (
	typeInt8, typeText, typeBytes                = 20, 25, 17
	typeInt8Array, typeTextArray, typeBytesArray = 1016, 1009, 1001
)

// array is a value of n elements in its binary form: dimensions, flags, type; then length and lower bound; then length and bytes of each.
func array(elem uint32, n int, at func(i int) []byte) []byte {
	if n == 0 {
		return binary.BigEndian.AppendUint32(make([]byte, 8), elem)
	}
	b := binary.BigEndian.AppendUint32(nil, 1)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, elem)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = binary.BigEndian.AppendUint32(b, 1)
	for i := range n {
		v := at(i)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	}
	return b
}

func int8Of(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

var binaryFormat = []int16{1}

// Append is that of cluster.Engine.
func (e *Engine) Append(ctx context.Context, run string, least uint64, items []cluster.Item) (out []cluster.Outcome, err error) {
	err = e.writes.do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		if err := e.writes.prepare(ctx, c, "append", "select pos, off, dup from S.append($1, $2, $3, $4, $5)", typeText, typeInt8, typeTextArray, typeBytesArray, typeBytesArray); err != nil {
			return err
		}
		r := c.ExecPrepared(ctx, "append", [][]byte{
			[]byte(run), int8Of(least),
			array(typeText, len(items), func(i int) []byte { return []byte(items[i].Room) }),
			array(typeBytes, len(items), func(i int) []byte { return []byte(items[i].Key) }),
			array(typeBytes, len(items), func(i int) []byte { return items[i].Record }),
		}, binaryFormat, binaryFormat).Read()
		if r.Err != nil {
			return r.Err
		}
		for _, row := range r.Rows {
			if len(row) != 3 || len(row[0]) != 8 || len(row[1]) != 8 || len(row[2]) != 1 {
				return errors.New("postgres: an outcome of another form")
			}
			out = append(out, cluster.Outcome{Position: binary.BigEndian.Uint64(row[0]), Offset: binary.BigEndian.Uint64(row[1]), Duplicate: row[2][0] != 0})
		}
		return nil
	})
	if err == nil {
		select {
		case e.appended <- struct{}{}:
		default:
		}
	}
	return out, err
}

// ring wakes who waits for entries, over a session of its own, and not at each append; but always after the last one.
func (e *Engine) ring() {
	for {
		select {
		case <-e.appended:
		case <-e.ctx.Done():
			return
		}
		_ = e.bell.do(e.ctx, func(ctx context.Context, c *pgconn.PgConn) error { // who waits looks once a second besides
			_, err := rows(ctx, c, "select pg_notify($1, '')", e.channel)
			return err
		})
		select {
		case <-time.After(notifyEvery):
		case <-e.ctx.Done():
			return
		}
	}
}

// After is that of cluster.Engine.
func (e *Engine) After(ctx context.Context, position uint64) (list []cluster.Entry, err error) {
	err = e.tail.do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		if !e.tail.listens {
			if _, err := c.Exec(ctx, `listen "`+e.channel+`"`).ReadAll(); err != nil {
				return err
			}
			e.tail.listens = true
		}
		for began := time.Now(); ; {
			if list, err = e.page(ctx, c, position); err != nil {
				return err
			}
			if len(list) > 0 {
				e.found = time.Now()
			}
			if len(list) > 0 || time.Since(began) >= tailWait {
				return nil
			}
			patience := tailWait - time.Since(began)
			if time.Since(e.found) < busyFor {
				patience = lookAgain
			}
			wait, cancel := context.WithTimeout(ctx, patience)
			err := c.WaitForNotification(wait)
			ended := wait.Err() != nil
			cancel()
			if err != nil && (!ended || c.IsClosed()) {
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	})
	return list, err
}

func (e *Engine) page(ctx context.Context, c *pgconn.PgConn, position uint64) (list []cluster.Entry, err error) {
	if err := e.tail.prepare(ctx, c, "page", "select pos, room, off, rec from S.log where pos > $1 order by pos limit $2", typeInt8, typeInt8); err != nil {
		return nil, err
	}
	r := c.ExecPrepared(ctx, "page", [][]byte{int8Of(position), int8Of(uint64(e.size))}, binaryFormat, binaryFormat).Read()
	if r.Err != nil {
		e.size = max(1, e.size/4) // it may be more than comes in time
		return nil, r.Err
	}
	e.size = min(pageSize, e.size+e.size/8+1)
	for _, row := range r.Rows {
		if len(row) != 4 || len(row[0]) != 8 || len(row[2]) != 8 {
			return nil, errors.New("postgres: an entry of another form")
		}
		list = append(list, cluster.Entry{Position: binary.BigEndian.Uint64(row[0]), Room: string(row[1]), Offset: binary.BigEndian.Uint64(row[2]), Record: append([]byte(nil), row[3]...)})
	}
	return list, nil
}
