use super::*;

fn embedded(folder: &tempfile::TempDir) -> ServeArgs {
    ServeArgs {
        database: DatabaseArgs {
            data_dir: Some(folder.path().display().to_string()),
            ..DatabaseArgs::default()
        },
        ..ServeArgs::default()
    }
}

fn problems(args: &ServeArgs) -> Vec<String> {
    Config::inspect(args).unwrap_err().problems.iter().map(ToString::to_string).collect()
}

#[test]
fn without_settings_everything_has_its_default() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::from_args(&embedded(&folder)).unwrap();
    assert_eq!((config.host.to_string().as_str(), config.port), ("127.0.0.1", 8080));
    assert_eq!(config.base_path.as_str(), "");
    assert_eq!(config.cors, Cors::Only(Vec::new()));
    assert_eq!(config.access_token_lifetime, Duration::from_mins(15));
    assert_eq!(config.rate_limit.requests.get(), 100);
    assert_eq!(config.first_admin.username, "admin");
    assert!(matches!(config.database, DatabaseConfig::Embedded { .. }));
    let again = Config::from_args(&embedded(&folder)).unwrap();
    assert_eq!(config.secrets.encryption.expose(), again.secrets.encryption.expose());
}

#[test]
fn inspecting_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    Config::inspect(&embedded(&folder)).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_empty_variable_counts_as_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut args = embedded(&folder);
    args.port = Some(String::new());
    args.database.database_url = Some("".into());
    args.jwt_secret = Some(" ".into());
    assert_eq!(Config::from_args(&args).unwrap().port, 8080);
}

#[test]
fn all_problems_are_told_at_once_and_no_secret_with_them() {
    let args = ServeArgs {
        port: Some("eighty".into()),
        host: Some("localhost".into()),
        base_path: Some("/a b".into()),
        trusted_proxies: Some("10.0.0.0/8, 10.0.0.0/99".into()),
        cors_origin: Some("*".into()),
        cors_credentials: Some("true".into()),
        jwt_expires_in: Some("soon".into()),
        jwt_secret: Some("canary".into()),
        encryption_key: Some("canary".into()),
        admin_password: Some("canary".into()),
        rate_limit_requests: Some("0".into()),
        probe_interval: Some("1".into()),
        signup_enabled: Some("maybe".into()),
        database: DatabaseArgs {
            database_url: Some("mysql://root:canary@localhost/x".into()),
            db_ssl: Some("sometimes".into()),
            ..DatabaseArgs::default()
        },
        log: LogArgs {
            log_level: Some("loud=very".into()),
            log_format: Some("xml".into()),
            ..LogArgs::default()
        },
        ..ServeArgs::default()
    };
    let told = problems(&args);
    for setting in [
        "PORT",
        "HOST",
        "BASE_PATH",
        "TRUSTED_PROXIES",
        "CORS_ORIGIN",
        "JWT_EXPIRES_IN",
        "JWT_SECRET",
        "ENCRYPTION_KEY",
        "ADMIN_PASSWORD",
        "RATE_LIMIT_REQUESTS",
        "PROBE_INTERVAL",
        "SIGNUP_ENABLED",
        "DATABASE_URL",
        "LOG_LEVEL",
        "LOG_FORMAT",
    ] {
        let lines = told.iter().filter(|line| line.starts_with(&format!("{setting} "))).count();
        assert_eq!(lines, 1, "{setting} in {told:#?}");
    }
    assert!(!told.join("\n").contains("canary"), "{told:#?}");
    assert!(!format!("{args:?}").contains("canary"));
}

#[test]
fn an_external_database_wants_its_secrets_given() {
    let mut args = ServeArgs::default();
    args.database.db_host = Some("db".into());
    args.database.db_password = Some("canary".into());
    let told = problems(&args);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("openssl rand -base64 48"), "{told:#?}");
    args.jwt_secret = Some("0123456789abcdef0123456789abcdef".into());
    args.encryption_key = Some(crate::platform::vault::generate_key());
    let config = Config::from_args(&args).unwrap();
    assert!(!format!("{config:?}").contains("canary"));
}

#[test]
fn a_database_named_twice_or_by_half_is_refused() {
    let mut args = ServeArgs::default();
    args.database.database_url = Some("postgres://a@b/c".into());
    args.database.db_host = Some("db".into());
    assert!(args.database.database().unwrap_err().to_string().contains("drop DATABASE_URL"));
    args.database.database_url = None;
    args.database.db_host = None;
    args.database.db_user = Some("ann".into());
    assert!(args.database.database().unwrap_err().to_string().starts_with("DB_USER is set without DB_HOST"));
}

#[test]
fn the_dashboards_origin_is_among_the_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let mut args = embedded(&folder);
    args.frontend_url = Some("https://Example.com/quay/".into());
    args.cors_origin = Some("http://localhost:5173".into());
    let config = Config::inspect(&args).unwrap();
    assert_eq!(config.frontend_url.as_deref(), Some("https://example.com/quay"));
    let Cors::Only(origins) = config.cors else { panic!("any") };
    let origins: Vec<&str> = origins.iter().map(Origin::as_str).collect();
    assert_eq!(origins, ["http://localhost:5173", "https://example.com"]);
}

#[test]
fn every_setting_is_a_flag_and_a_variable_and_secrets_are_not_shown_in_the_help() {
    use clap::{Args, Command};
    let command = ServeArgs::augment_args(Command::new("serve"));
    for argument in command.get_arguments() {
        let flag = argument.get_long().unwrap().to_owned();
        let variable = argument.get_env().unwrap().to_str().unwrap().to_owned();
        assert_eq!(flag.replace('-', "_").to_uppercase(), variable);
        let secret = ["SECRET", "PASSWORD", "KEY", "DATABASE_URL"].iter().any(|word| variable.contains(word));
        assert_eq!(argument.is_hide_env_values_set(), secret, "{variable}");
    }
}
