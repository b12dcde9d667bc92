-- What a server's status was, and from when until when. The last row of each server is open: it holds still.
create table server_status_history (
    id        uuid        not null constraint server_status_history_pkey primary key,
    server_id uuid        not null
        constraint server_status_history_server_id_fkey references servers (id) on delete cascade,
    status    text        not null
        constraint server_status_history_status_known check (status in ('online', 'degraded', 'offline', 'unknown')),
    reason    text,
    from_at   timestamptz not null,
    until_at  timestamptz,
    constraint server_status_history_order check (until_at >= from_at)
);
create unique index server_status_history_open_key on server_status_history (server_id) where until_at is null;
create index server_status_history_server_id_idx on server_status_history (server_id, id desc);

-- The same of apps.
create table app_status_history (
    id       uuid        not null constraint app_status_history_pkey primary key,
    app_id   uuid        not null constraint app_status_history_app_id_fkey references apps (id) on delete cascade,
    status   text        not null
        constraint app_status_history_status_known
            check (status in ('stopped', 'starting', 'running', 'stopping', 'degraded', 'error', 'unknown')),
    reason   text,
    from_at  timestamptz not null,
    until_at timestamptz,
    constraint app_status_history_order check (until_at >= from_at)
);
create unique index app_status_history_open_key on app_status_history (app_id) where until_at is null;
create index app_status_history_app_id_idx on app_status_history (app_id, id desc);
