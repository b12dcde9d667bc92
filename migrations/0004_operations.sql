-- The durable record, and the queue, of what is done to apps. A row exists before anything happens on a host.
create table operations (
    id                uuid        not null constraint operations_pkey primary key,
    -- Plain ids, all three: the record outlives the app, and says where it was and whose it was when it was asked for.
    app_id            uuid        not null,
    project_id        uuid        not null,
    server_id         uuid        not null,
    action            text        not null constraint operations_action_known check (action in ('start', 'stop', 'restart', 'pull')),
    state             text        not null
        constraint operations_state_known check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'lost')),
    trigger           text        not null
        constraint operations_trigger_known check (trigger in ('user', 'token', 'autoStop', 'schedule')),
    requested_by      uuid,
    requested_by_name text,
    request_id        text,
    -- Minutes until the app is stopped again, for this run only; null: the app's own setting. 0: never.
    timeout_minutes   integer     constraint operations_timeout_minutes_range check (timeout_minutes between 0 and 525600),
    created_at        timestamptz not null,
    started_at        timestamptz,
    finished_at       timestamptz,
    exit_code         integer,
    error_code        text,
    error_detail      text,
    cancelled_by      uuid,
    cancel_requested_at timestamptz,
    output_bytes      bigint      not null default 0,
    output_cut        boolean     not null default false,
    -- The claim: which replica runs it and until when it says so. Lease times are the database's own clock. The number
    -- goes up with every claim: who holds an older one may write nothing more, even within the same replica.
    lease_owner       uuid,
    lease_until       timestamptz,
    claim             bigint      not null default 0,
    -- From here on the command may have begun on the host. Before, a crash costs nothing: it is queued again.
    sent_at           timestamptz,
    constraint operations_finished_whole
        check ((finished_at is not null) = (state in ('succeeded', 'failed', 'cancelled', 'lost'))),
    constraint operations_lease_whole check ((lease_owner is null) = (lease_until is null))
);
-- One unfinished operation per app, whoever asks and on whichever replica.
create unique index operations_unfinished_app_key on operations (app_id) where state in ('queued', 'running');
create index operations_queue_idx on operations (created_at) where state = 'queued';
create index operations_running_server_idx on operations (server_id) where state = 'running';
create index operations_lease_idx on operations (lease_until) where state = 'running';
create index operations_finished_at_idx on operations (finished_at);
create index operations_project_id_idx on operations (project_id, id desc);
create index operations_app_id_idx on operations (app_id, id desc);
create index operations_server_id_idx on operations (server_id, id desc);

-- Output in the order the host wrote it, by byte offset from the start of the operation.
create table operation_output (
    operation_id uuid   not null constraint operation_output_operation_id_fkey references operations (id) on delete cascade,
    byte_offset  bigint not null constraint operation_output_byte_offset_range check (byte_offset >= 0),
    data         bytea  not null constraint operation_output_data_length check (octet_length(data) between 1 and 65536),
    constraint operation_output_pkey primary key (operation_id, byte_offset)
);
