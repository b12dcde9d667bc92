create table projects (
    id          uuid        not null constraint projects_pkey primary key,
    name        text        not null constraint projects_name_length check (char_length(name) between 1 and 100),
    description text        not null default '' constraint projects_description_length check (char_length(description) <= 2000),
    created_at  timestamptz not null,
    updated_at  timestamptz not null
);
create unique index projects_name_key on projects (lower(name));

create table project_members (
    project_id uuid        not null constraint project_members_project_id_fkey references projects (id) on delete cascade,
    user_id    uuid        not null constraint project_members_user_id_fkey references users (id) on delete cascade,
    role       text        not null constraint project_members_role_known check (role in ('viewer', 'operator', 'maintainer')),
    created_at timestamptz not null,
    constraint project_members_pkey primary key (project_id, user_id)
);
create index project_members_user_id_idx on project_members (user_id);

-- Compose apps. One row per directory and server: two apps on one directory would stop each other's containers.
create table apps (
    id                uuid        not null constraint apps_pkey primary key,
    name              text        not null constraint apps_name_length check (char_length(name) between 1 and 100),
    project_id        uuid        not null constraint apps_project_id_fkey references projects (id),
    server_id         uuid        not null constraint apps_server_id_fkey references servers (id),
    cd_path           text        not null constraint apps_cd_path_length check (octet_length(cd_path) between 1 and 500),
    -- The folder without symbolic links, as the host resolves it: compose may label containers with either.
    real_path         text,
    app_url           text                 constraint apps_app_url_length check (char_length(app_url) <= 2000),
    auto_stop_timeout integer     not null default 0 constraint apps_auto_stop_timeout_range check (auto_stop_timeout between 0 and 525600),
    status            text        not null default 'unknown'
        constraint apps_status_known check (status in ('stopped', 'starting', 'running', 'stopping', 'degraded', 'error', 'unknown')),
    status_reason     text,
    status_at         timestamptz,
    -- Goes up with every write of the state: a probe that began before the last one does not overwrite it.
    reading           bigint      not null default 0,
    services_running  integer     not null default 0,
    services_total    integer     not null default 0,
    started_at        timestamptz,
    stop_at           timestamptz,
    -- How long this run was given, in minutes; null while it has no end.
    run_minutes       integer,
    -- When its host is next asked about it.
    next_check_at     timestamptz not null,
    created_at        timestamptz not null,
    updated_at        timestamptz not null
);
create unique index apps_project_id_name_key on apps (project_id, lower(name));
create unique index apps_server_id_cd_path_key on apps (server_id, cd_path);
create unique index apps_server_id_real_path_key on apps (server_id, real_path) where real_path is not null;
create index apps_next_check_at_idx on apps (next_check_at);
create index apps_stop_at_idx on apps (stop_at) where stop_at is not null;
