-- What happened, written in the transaction of the change. Plain ids: a row outlives what it tells of.
create table audit_logs (
    id            uuid        not null constraint audit_logs_pkey primary key,
    user_id       uuid,
    username      text,
    action        text        not null constraint audit_logs_action_form check (action ~ '^[A-Z][A-Z_]*$'),
    resource_type text        not null,
    resource_id   uuid,
    details       jsonb       not null default '{}',
    ip_address    text,
    request_id    text,
    created_at    timestamptz not null
);
create index audit_logs_user_id_idx on audit_logs (user_id, id desc);
create index audit_logs_action_idx on audit_logs (action, id desc);
create index audit_logs_resource_idx on audit_logs (resource_type, resource_id, id desc);
create index audit_logs_created_at_idx on audit_logs (created_at);

-- Live events. Kept for a day so that a reader who was away can go on from its last position.
create table events (
    id         bigint      generated always as identity constraint events_pkey primary key,
    -- The place in the stream: given as the last act of the transaction, null to nobody but the writer before that.
    position   bigint      constraint events_position_key unique,
    kind       text        not null,
    project_id uuid,
    server_id  uuid,
    data       jsonb       not null,
    created_at timestamptz not null
);

-- `id` is drawn when a row is written, so a transaction that takes long commits ids that readers have passed already.
-- Positions are drawn at the commit, one transaction at a time: whoever sees a position sees every lower one that will
-- ever be. The lock is held for the commit only and nothing is waited for under it, so that it cannot deadlock.
create sequence events_position_seq;

create function events_take_position() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtext('events.position'));
    update events set position = nextval('events_position_seq') where id = new.id;
    return null;
end $$;

create constraint trigger events_take_position after insert on events
    deferrable initially deferred for each row execute function events_take_position();

-- Periodic jobs: every replica ticks, the row decides who acts. Times are the database's own clock.
create table job_claims (
    name       text        not null constraint job_claims_pkey primary key,
    claimed_by uuid        not null,
    claimed_at timestamptz not null,
    due_at     timestamptz not null
);

-- Running replicas, for `doctor` and for telling a lost operation from a slow one.
create table replicas (
    id         uuid        not null constraint replicas_pkey primary key,
    version    text        not null,
    started_at timestamptz not null,
    seen_at    timestamptz not null
);
