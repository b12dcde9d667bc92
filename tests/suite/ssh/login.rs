use quaymaster::{
    platform::Secret,
    remote::ssh::{Auth, Command, KeyError, PrivateKey, Target},
};

use super::{engine, run};
use crate::support::{
    sshd::{PASSWORD, Settings, Sshd, USER},
    tool,
};

const PASSPHRASE: &str = "open 'sesame' $now";

/// A key file of this machine's own tools, and its public line.
struct Made {
    private: Secret<String>,
    public: String,
    encrypted: bool,
}

/// Every form in which people keep keys: (type, bits or curve) × (form, with a passphrase or not).
async fn make(kind: &str, bits: &str, form: &str, passphrase: &str) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let path = path.to_str().unwrap();
    let (keygen_form, plain) = match form {
        // ssh-keygen writes PKCS#8 and PEM, but encrypts PEM with an old method; openssl does PKCS#8 well.
        "PKCS8" | "OPENSSL" => ("PEM", true),
        other => (other, false),
    };
    let mut args = vec!["-q", "-t", kind, "-b", bits, "-f", path, "-N", if plain { "" } else { passphrase }];
    if keygen_form != "OPENSSH" {
        args.extend(["-m", keygen_form]);
    }
    tool("ssh-keygen", &args).await;
    let mut private = std::fs::read_to_string(path).unwrap();
    if form == "PKCS8" {
        let pass = format!("pass:{passphrase}");
        let mut args = vec!["pkcs8", "-topk8", "-in", path];
        args.extend(if passphrase.is_empty() {
            ["-nocrypt", "-inform", "PEM"]
        } else {
            ["-v2", "aes-256-cbc", "-passout"]
        });
        if !passphrase.is_empty() {
            args.push(&pass);
        }
        private = tool("openssl", &args).await;
    }
    let public = std::fs::read_to_string(format!("{path}.pub")).unwrap();
    Made { private: private.into(), public, encrypted: !passphrase.is_empty() }
}

async fn ed25519_pkcs8(passphrase: &str) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let path = path.to_str().unwrap();
    let pass = format!("pass:{passphrase}");
    let mut args = vec!["genpkey", "-algorithm", "ed25519", "-out", path];
    if !passphrase.is_empty() {
        args.extend(["-aes256", "-pass", &pass]);
    }
    tool("openssl", &args).await;
    let private = std::fs::read_to_string(path).unwrap();
    let key = PrivateKey::parse(&private.as_str().into(), Some(&passphrase.into())).unwrap();
    Made { private: private.into(), public: key.authorized_keys_line(""), encrypted: !passphrase.is_empty() }
}

async fn fixtures() -> Vec<(String, Made)> {
    let mut fixtures = Vec::new();
    for (kind, bits) in
        [("rsa", "2048"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("ed25519", "256")]
    {
        for form in ["OPENSSH", "PKCS8", "PEM"] {
            for passphrase in ["", PASSPHRASE] {
                let made = match (kind, form, passphrase) {
                    // Ed25519 has no such form; OpenSSL's old encryption of EC keys is not supported, see below.
                    ("ed25519", "PEM", _) | ("ecdsa", "PEM", PASSPHRASE) => continue,
                    ("ed25519", "PKCS8", _) => ed25519_pkcs8(passphrase).await,
                    _ => make(kind, bits, form, passphrase).await,
                };
                fixtures.push((format!("{kind} {bits} {form} {passphrase}"), made));
            }
        }
    }
    fixtures
}

#[tokio::test]
async fn every_kind_and_form_of_key_gets_in() {
    let sshd = Sshd::start().await;
    let engine = engine();
    for (revision, (name, made)) in (1..).zip(fixtures().await) {
        let passphrase = Secret::from(PASSPHRASE);
        let key = PrivateKey::parse(&made.private, Some(&passphrase))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        sshd.authorize_line(&made.public);
        let target = Target { auth: Auth::Key(key), revision, ..sshd.target().await };
        let output = run(&engine, &target, &Command::new("true")).await;
        output.unwrap_or_else(|error| panic!("{name}: {error}"));
        if made.encrypted {
            assert_eq!(
                PrivateKey::parse(&made.private, None).unwrap_err(),
                KeyError::PassphraseMissing,
                "{name}"
            );
            let wrong = Secret::from("wrong");
            assert_eq!(
                PrivateKey::parse(&made.private, Some(&wrong)).unwrap_err(),
                KeyError::PassphraseWrong,
                "{name}"
            );
        }
        assert_eq!(PrivateKey::parse(&made.public.into(), None).unwrap_err(), KeyError::Public, "{name}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_supported_is_called_so() {
    let old = make("ecdsa", "256", "PEM", PASSPHRASE).await;
    let parsed = PrivateKey::parse(&old.private, Some(&PASSPHRASE.into()));
    assert_eq!(parsed.unwrap_err(), KeyError::Unsupported);
}

#[tokio::test]
async fn an_rsa_key_signs_with_sha2() {
    let sshd = Sshd::start().await;
    let made = make("rsa", "2048", "OPENSSH", "").await;
    sshd.authorize_line(&made.public);
    let key = PrivateKey::parse(&made.private, None).unwrap();
    let target = Target { auth: Auth::Key(key), ..sshd.target().await };
    run(&engine(), &target, &Command::new("true")).await.unwrap();
    assert!(sshd.logged("rsa-sha2-512") > 0);
}

#[tokio::test]
async fn a_key_that_the_host_does_not_know_is_refused() {
    let sshd = Sshd::start().await;
    let stranger = PrivateKey::generate_ed25519().unwrap();
    let target = Target { auth: Auth::Key(stranger), ..sshd.target().await };
    let error = run(&engine(), &target, &Command::new("true")).await.unwrap_err();
    assert_eq!(error.reason(), "auth_failed");
    let shown = error.to_string();
    assert!(shown.contains(USER) && shown.contains("publickey"), "{shown}");
}

#[tokio::test]
async fn a_password_gets_in_and_a_wrong_one_does_not() {
    let sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.password_target(PASSWORD).await;
    let output = run(&engine, &target, &Command::new("id").arg("-un")).await.unwrap();
    assert_eq!(output.stdout, format!("{USER}\n").as_bytes());

    let target = Target { revision: 2, ..sshd.password_target("canary-wrong").await };
    let error = run(&engine, &target, &Command::new("true")).await.unwrap_err();
    assert_eq!(error.reason(), "auth_failed");
    assert!(!format!("{error} {error:?} {target:?}").contains("canary"));
    assert_eq!(sshd.logged("Failed password"), 1);
}

#[tokio::test]
async fn a_host_that_asks_for_the_password_interactively_is_answered() {
    let sshd = Sshd::with(Settings { pam_only: true, ..Settings::default() }).await;
    let target = sshd.password_target(PASSWORD).await;
    run(&engine(), &target, &Command::new("true")).await.unwrap();
    assert_eq!(sshd.logged("Accepted keyboard-interactive/pam"), 1);
    assert!(engine().check(&target).await.passed());
}

#[tokio::test]
async fn a_check_tells_which_step_fails() {
    let mut sshd = Sshd::start().await;
    let engine = engine();
    let target = sshd.target().await;
    let check = engine.check(&target).await;
    assert!(check.passed() && check.offered == target.host_key, "{check:?}");

    let check = engine.check(&Target { host_key: None, ..target.clone() }).await;
    assert!(check.tcp.passed() && !check.auth.passed());
    assert_eq!(check.error().unwrap().reason(), "host_key_unknown");
    assert_eq!(check.offered, target.host_key);

    let check = engine.check(&Target { user: "nobody-here".into(), ..target.clone() }).await;
    assert!(check.host_key.passed());
    assert_eq!(check.auth.error().unwrap().reason(), "auth_failed");

    sshd.stop().await;
    let check = engine.check(&target).await;
    assert_eq!(check.tcp.error().unwrap().reason(), "tcp_refused");
    assert!(check.host_key.error().is_none() && check.offered.is_none());
    let check = engine.check(&Target { address: "nowhere.invalid".into(), ..target }).await;
    assert_eq!(check.tcp.error().unwrap().reason(), "dns");
}
