-- Accounts and their sessions. A username or e-mail address is unique whatever its case.
create table users (
    id            uuid        not null constraint users_pkey primary key,
    username      text        not null constraint users_username_length check (char_length(username) between 1 and 64),
    email         text                 constraint users_email_length check (char_length(email) between 3 and 254),
    name          text        not null constraint users_name_length check (char_length(name) <= 200),
    role          text        not null constraint users_role_known check (role in ('admin', 'user')),
    is_enabled    boolean     not null default true,
    password_hash text        not null,
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    last_login_at timestamptz
);
create unique index users_username_key on users (lower(username));
create unique index users_email_key on users (lower(email));

-- A session is one sign-in. Every access token names its session, so ending the row ends the token.
create table sessions (
    id           uuid        not null constraint sessions_pkey primary key,
    user_id      uuid        not null constraint sessions_user_id_fkey references users (id) on delete cascade,
    created_at   timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at   timestamptz not null,
    revoked_at   timestamptz,
    ip_address   text,
    user_agent   text
);
create index sessions_user_id_idx on sessions (user_id) where revoked_at is null;
create index sessions_user_id_created_at_idx on sessions (user_id, created_at);
create index sessions_expires_at_idx on sessions (expires_at);

-- Refresh tokens rotate: one is current, the used ones stay to recognise a replay. Only hashes are kept.
create table refresh_tokens (
    token_hash bytea       not null constraint refresh_tokens_pkey primary key,
    session_id uuid        not null constraint refresh_tokens_session_id_fkey references sessions (id) on delete cascade,
    issued_at  timestamptz not null,
    used_at    timestamptz
);
create index refresh_tokens_session_id_idx on refresh_tokens (session_id);

-- Failed sign-ins, counted per account, per address and per pair of them; on all replicas alike.
-- The key is a hash, so that a password typed into the name field is not kept.
create table login_failures (
    key           bytea       not null constraint login_failures_pkey primary key,
    failures      integer     not null,
    -- Of these, attempts whose password is still being looked at.
    pending       integer     not null default 0,
    last_at       timestamptz not null,
    blocked_until timestamptz
);
create index login_failures_last_at_idx on login_failures (last_at);
