package postgres

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"edgechat/cluster"
)

// rows runs one statement, whose parameters and answer are texts.
func rows(ctx context.Context, c *pgconn.PgConn, sql string, params ...string) ([][][]byte, error) {
	values := make([][]byte, len(params))
	for i, p := range params {
		values[i] = []byte(p)
	}
	r := c.ExecParams(ctx, sql, values, nil, nil, nil).Read()
	return r.Rows, r.Err
}

func number(b []byte) uint64 {
	v, _ := strconv.ParseUint(string(b), 10, 63) // the columns are numbers
	return v
}

// State is that of cluster.Engine. It makes the schema if there is none.
func (e *Engine) State(ctx context.Context) (cluster.State, error) {
	st, err := e.state(ctx)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == codeNoTable || pg.Code == codeNoSchema || pg.Code == codeNoFunction) {
		if err = e.Init(ctx); err == nil {
			st, err = e.state(ctx)
		}
	}
	if err == nil {
		e.trim(ctx, st.Last)
		if st.Verified && st.Problem == "" {
			e.warm(ctx, st.Run)
		}
	}
	return st, err
}

// warm has the connection for appends there before there is something to append: to begin a session, and to read and plan what it executes, takes the
// server some 100 ms, for which the first messages would wait.
func (e *Engine) warm(ctx context.Context, run string) {
	l := e.writes
	l.mu.Lock()
	there := l.conn != nil && !l.stale
	l.mu.Unlock()
	if !there {
		_, _ = e.Append(ctx, run, 0, nil) // what is wrong is said of the first message
	}
}

func (e *Engine) state(ctx context.Context) (st cluster.State, err error) {
	err = e.calls.do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		list, err := rows(ctx, c, "select pg_is_in_recovery(), current_setting('transaction_read_only'), current_setting('synchronous_commit'), current_setting('fsync')")
		if err != nil {
			return err
		}
		row := list[0]
		st.Setting = "synchronous_commit " + string(row[2])
		st.Durable = string(row[2]) != "off" && string(row[3]) == "on"
		if string(row[3]) != "on" {
			st.Setting += ", fsync " + string(row[3])
		}
		switch {
		case string(row[0]) == "t":
			return errStandby
		case string(row[1]) == "on":
			st.Problem = "it is read-only"
		}
		if list, err = rows(ctx, c, e.in(`select coalesce((select token from S.run where id = 1), ''), m.gen, m.n, m.name, m.start, m.seq, coalesce((select max(pos) from S.log), 0) from S.meta m where id = 1`)); err != nil {
			return err
		}
		if len(list) == 0 {
			return errors.New("postgres: meta has no row")
		}
		row = list[0]
		st.Run = string(row[0])
		if st.Run == "" { // after a crash or a promotion
			if list, err := rows(ctx, c, e.in(`insert into S.run values (1, gen_random_uuid()::text) on conflict (id) do update set token = S.run.token returning token`)); err != nil {
				return err
			} else {
				st.Run = string(list[0][0])
			}
		}
		e.renew(st.Run)
		st.Epoch = cluster.Epoch{N: number(row[2]), Name: string(row[3]), Start: number(row[4])}
		seq := number(row[5])
		st.Last = cluster.PositionOf(st.Epoch.N, seq)
		if last := number(row[6]); cluster.CountOf(last) > seq {
			st.Last = last
		}
		st.Verified = st.Run == string(row[1])
		return nil
	})
	return st, err
}

var errStandby = errors.New("postgres: it is a standby: name the primary")

// renew gives up connections to a server that crashed, which nobody has used since.
func (e *Engine) renew(run string) {
	e.mu.Lock()
	was := e.run
	e.run = run
	e.mu.Unlock()
	if was != "" && was != run {
		for _, l := range []*lane{e.writes, e.tail, e.bell} {
			l.retire()
		}
	}
}

// trimPart is how many entries are dropped at once, at most; if there are more, the next State goes on.
const trimPart = 10_000

// trim drops what is older than Keep, once in a while.
func (e *Engine) trim(ctx context.Context, last uint64) {
	e.mu.Lock()
	due := time.Since(e.trimmed) >= trimEvery
	if due {
		e.trimmed = time.Now()
	}
	e.mu.Unlock()
	count := cluster.CountOf(last)
	if !due || count <= uint64(e.cfg.Keep) {
		return
	}
	_ = e.calls.do(ctx, func(ctx context.Context, c *pgconn.PgConn) error { // what is left is dropped the next time
		found, err := rows(ctx, c, e.in("select S.trim($1::bigint, $2::bigint)"), strconv.FormatUint(count-uint64(e.cfg.Keep), 10), strconv.Itoa(trimPart))
		if err == nil && number(found[0][0]) == trimPart {
			e.mu.Lock()
			e.trimmed = time.Time{}
			e.mu.Unlock()
		}
		return err
	})
}

// Epochs is that of cluster.Engine.
func (e *Engine) Epochs(ctx context.Context) (list []cluster.Epoch, err error) {
	err = e.calls.do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		found, err := rows(ctx, c, e.in("select n, name, start from S.epoch order by n"))
		for _, r := range found {
			list = append(list, cluster.Epoch{N: number(r[0]), Name: string(r[1]), Start: number(r[2])})
		}
		return err
	})
	return list, err
}

// Heads is that of cluster.Engine.
func (e *Engine) Heads(ctx context.Context) (map[string]uint64, error) {
	heads := map[string]uint64{}
	err := e.calls.do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		found, err := rows(ctx, c, e.in("select room, max(head) from (select room, head from S.room union all select room, max(off) from S.log group by room) h group by room"))
		for _, r := range found {
			heads[string(r[0])] = number(r[1])
		}
		return err
	})
	return heads, err
}
