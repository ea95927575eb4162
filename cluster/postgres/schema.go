package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Schema is what an administrator runs where the server's user may not make it; "S." stands for the schema.
const schema = `
create table if not exists S.meta (
  id int primary key check (id = 1), gen text not null default '', n bigint not null default 0, name text not null default '',
  start bigint not null default 0, seq bigint not null default 0, lead text not null default '', lead_until timestamptz not null default '-infinity'
);
insert into S.meta (id) values (1) on conflict do nothing;
create table if not exists S.log (pos bigint primary key, room text not null, off bigint not null, key bytea, rec bytea not null);
create index if not exists log_key on S.log (key) where key is not null;
create index if not exists log_room on S.log (room, off);
create table if not exists S.room (room text primary key, head bigint not null);
create table if not exists S.epoch (n bigint primary key, name text not null, start bigint not null);
create table if not exists S.claim (node text primary key, run text not null, position bigint not null, newest bigint not null, until timestamptz not null);
create unlogged table if not exists S.run (id int primary key check (id = 1), token text not null);

create or replace function S.append(run text, had bigint, rooms text[], keys bytea[], recs bytea[]) returns table(pos bigint, off bigint, dup boolean) language plpgsql as $$
#variable_conflict use_column
declare m record; i int; p bigint; o bigint; d boolean;
begin
  select * into m from S.meta where id = 1 for update;
  m.seq := greatest(m.seq, (select max(l.pos) & ((1::bigint << 40) - 1) from S.log l));
  if m.gen is distinct from run or not exists (select from S.run r where r.token = append.run) then
    raise exception 'the log is not verified for this run' using errcode = 'EC001';
  end if;
  if m.n < had >> 40 or m.seq < (had & ((1::bigint << 40) - 1)) then
    raise exception 'the log has less than it had' using errcode = 'EC001';
  end if;
  for i in 1 .. coalesce(array_length(rooms, 1), 0) loop
    d := false;
    if length(keys[i]) > 0 then
      select l.pos, l.off into p, o from S.log l where l.key = keys[i];
      d := found;
    end if;
    if not d then
      o := 1 + greatest(0, (select max(l.off) from S.log l where l.room = rooms[i]), (select r.head from S.room r where r.room = rooms[i]));
      m.seq := m.seq + 1;
      p := (m.n << 40) | m.seq;
      insert into S.log (pos, room, off, key, rec) values (p, rooms[i], o, case when length(keys[i]) > 0 then keys[i] end, recs[i]);
    end if;
    append.pos := p; append.off := o; append.dup := d;
    return next;
  end loop;
end $$;

create or replace function S.trim(upto bigint, most bigint) returns bigint language sql as $$
  with gone as (
    delete from S.log where pos in (select pos from (select pos from S.log order by pos limit most) l where (pos & ((1::bigint << 40) - 1)) <= upto for update skip locked)
    returning room, off
  ), heads as (
    insert into S.room as r (room, head) select room, max(off) from gone group by room order by room
    on conflict (room) do update set head = greatest(r.head, excluded.head)
  )
  select count(*) from gone;
$$;

create or replace function S.leads(run text, node text) returns void language plpgsql as $$
declare m record;
begin
  select * into m from S.meta where id = 1 for update;
  if m.lead <> run || ' ' || node or m.gen = run or not exists (select from S.run r where r.token = leads.run) then
    raise exception 'another node leads, or the log is verified' using errcode = 'EC001';
  end if;
  update S.meta set lead_until = clock_timestamp() + '20 s' where id = 1;
end $$;

create or replace function S.restore(run text, node text, hrooms text[], heads bigint[], poss bigint[], rooms text[], offs bigint[], keys bytea[], recs bytea[])
returns void language plpgsql as $$
declare i int;
begin
  perform S.leads(run, node);
  for i in 1 .. coalesce(array_length(hrooms, 1), 0) loop
    insert into S.room as r (room, head) values (hrooms[i], heads[i]) on conflict (room) do update set head = greatest(r.head, excluded.head);
  end loop;
  for i in 1 .. coalesce(array_length(poss, 1), 0) loop
    insert into S.log (pos, room, off, key, rec) values (poss[i], rooms[i], offs[i], case when length(keys[i]) > 0 then keys[i] end, recs[i]) on conflict do nothing;
  end loop;
end $$;

create or replace function S.retract(run text, node text, poss bigint[], rooms text[], offs bigint[]) returns void language plpgsql as $$
begin
  perform S.leads(run, node);
  delete from S.log where pos = any (poss);
  update S.room r set head = least(r.head, x.off - 1) from (select room, min(off) as off from unnest(rooms, offs) as u(room, off) group by room) x where r.room = x.room;
end $$;

create or replace function S.open(run text, node text, n_ bigint, name_ text, start_ bigint, ns bigint[], names text[], starts bigint[]) returns void language plpgsql as $$
begin
  perform S.leads(run, node);
  insert into S.epoch (n, name, start) select * from unnest(ns, names, starts) on conflict do nothing;
  insert into S.epoch (n, name, start) values (n_, name_, start_);
  update S.meta set gen = run, n = n_, name = name_, start = start_, seq = start_ - 1, lead = '', lead_until = '-infinity' where id = 1;
exception when unique_violation then
  raise exception 'the epoch is there already' using errcode = 'EC001';
end $$;
`

// Init makes what is missing of the schema. Several nodes may do so at once.
func (e *Engine) Init(ctx context.Context) error {
	return e.calls.do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		_, err := c.Exec(ctx, "begin; select pg_advisory_xact_lock(hashtext('edgechat init'));"+e.statements()+"commit").ReadAll()
		if err != nil {
			_, _ = c.Exec(ctx, "rollback").ReadAll()
			return fmt.Errorf("postgres: make the schema %s: %w", e.schema, err)
		}
		return nil
	})
}

// Statements returns the SQL that makes the schema, and lets a role use it, for an administrator to run. A node as that role makes nothing then.
func (e *Engine) Statements(role string) string {
	to := `"` + strings.ReplaceAll(role, `"`, `""`) + `"`
	return "begin;\n" + strings.TrimSpace(e.statements()) + fmt.Sprintf("\ngrant usage on schema %[1]s to %[2]s;\ngrant all on all tables in schema %[1]s to %[2]s;\ngrant execute on all functions in schema %[1]s to %[2]s;\ncommit;\n", e.schema, to)
}

func (e *Engine) statements() string {
	return "create schema if not exists " + e.schema + ";" + e.in(schema)
}
