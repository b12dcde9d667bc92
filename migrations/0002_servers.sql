-- Machines. The credential is sealed (AES-256-GCM, bound to this row); only its fingerprint is readable.
-- The host key is pinned by the fingerprint of the whole key, so another key type is another key.
create table servers (
    id                       uuid        not null constraint servers_pkey primary key,
    name                     text        not null constraint servers_name_length check (char_length(name) between 1 and 100),
    address                  text        not null constraint servers_address_length check (char_length(address) between 1 and 253),
    ssh_user                 text        not null constraint servers_ssh_user_length check (char_length(ssh_user) between 1 and 64),
    ssh_port                 integer     not null constraint servers_ssh_port_range check (ssh_port between 1 and 65535),
    credential_kind          text        not null
        constraint servers_credential_kind_known check (credential_kind in ('privateKey', 'password', 'generated')),
    credential_sealed        bytea       not null,
    credential_fingerprint   text,
    authorized_key           text,
    host_key_policy          text        not null
        constraint servers_host_key_policy_known check (host_key_policy in ('ask', 'acceptNew')),
    host_key_algorithm       text,
    host_key_fingerprint     text,
    host_key_trusted_at      timestamptz,
    -- What the host last offered while it was not (or no longer) trusted, to be shown beside the pinned one.
    offered_key_algorithm    text,
    offered_key_fingerprint  text,
    status                   text        not null default 'unknown'
        constraint servers_status_known check (status in ('online', 'degraded', 'offline', 'unknown')),
    status_reason            text,
    status_detail            text,
    running_containers       integer,
    uptime_seconds           bigint,
    docker_version           text,
    -- Which compose runs apps here; looked up once, and again after a while or when it proves gone.
    compose_flavour          text
        constraint servers_compose_flavour_known check (compose_flavour in ('plugin', 'standalone')),
    compose_version          text,
    compose_checked_at       timestamptz,
    latency_ms               integer,
    last_checked_at          timestamptz,
    -- Goes up whenever address, user, credential or host key change: pooled connections made before are not reused.
    revision                 bigint      not null default 1,
    next_probe_at            timestamptz not null,
    probe_failures           integer     not null default 0,
    created_at               timestamptz not null,
    updated_at               timestamptz not null,
    constraint servers_host_key_whole
        check ((host_key_fingerprint is null) = (host_key_algorithm is null)
           and (host_key_fingerprint is null) = (host_key_trusted_at is null)),
    constraint servers_offered_key_whole
        check ((offered_key_fingerprint is null) = (offered_key_algorithm is null)),
    constraint servers_compose_whole
        check ((compose_flavour is null) = (compose_version is null)
           and (compose_flavour is null) = (compose_checked_at is null))
);
create unique index servers_name_key on servers (lower(name));
create index servers_next_probe_at_idx on servers (next_probe_at);
