//! Letting the host know who we are. Only ever called on a connection whose host key was checked.

use russh::{
    MethodKind, MethodSet,
    client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Answer},
    keys::HashAlg,
};

use super::{
    connection::Client,
    error::{Error, Step},
    key::PrivateKey,
    target::{Auth, Target},
};

/// Rounds of keyboard-interactive questions before we give up: one for the password, the others may be empty.
const MAX_ROUNDS: usize = 4;

pub(super) async fn authenticate(handle: &mut Handle<Client>, target: &Target) -> Result<(), Error> {
    let (tried, remaining) = match &target.auth {
        Auth::Key(key) => ("key", with_key(handle, &target.user, key).await?),
        Auth::Password(password) => {
            ("password", with_password(handle, &target.user, password.expose()).await?)
        }
    };
    let Some(remaining) = remaining else { return Ok(()) };
    // The library reports a connection that ended as a refusal without methods.
    if remaining.is_empty() && handle.is_closed() {
        return Err(Error::Closed { step: Step::Auth });
    }
    Err(Error::AuthFailed { user: target.user.clone(), tried, accepts: names(&remaining) })
}

/// `None` when let in, else what the host would take.
async fn with_key(
    handle: &mut Handle<Client>,
    user: &str,
    key: &PrivateKey,
) -> Result<Option<MethodSet>, Error> {
    let hash = if key.is_rsa() {
        // Never SHA-1, which is what no hash would mean. A host that does not say takes SHA-2 since OpenSSH 7.2.
        handle.best_supported_rsa_hash().await?.flatten().or(Some(HashAlg::Sha512))
    } else {
        None
    };
    Ok(refusal(handle.authenticate_publickey(user, key.signer(hash)).await?))
}

/// Many hosts ask for the password by keyboard-interactive only (PAM), others by `password` only.
async fn with_password(
    handle: &mut Handle<Client>,
    user: &str,
    password: &str,
) -> Result<Option<MethodSet>, Error> {
    let Some(remaining) = refusal(handle.authenticate_password(user, password).await?) else {
        return Ok(None);
    };
    // Where `password` is still on offer it was understood and refused: asking again would only count as another guess.
    if remaining.contains(&MethodKind::Password) || !remaining.contains(&MethodKind::KeyboardInteractive) {
        return Ok(Some(remaining));
    }
    interactive(handle, user, password, remaining).await
}

/// Answers a single hidden question, once. Anything else is not a password login.
async fn interactive(
    handle: &mut Handle<Client>,
    user: &str,
    password: &str,
    offered: MethodSet,
) -> Result<Option<MethodSet>, Error> {
    let mut given = false;
    let mut answer = handle.authenticate_keyboard_interactive_start(user, None).await?;
    for _ in 0..MAX_ROUNDS {
        let responses = match &answer {
            Answer::Success => return Ok(None),
            Answer::Failure { remaining_methods, .. } => return Ok(Some(remaining_methods.clone())),
            Answer::InfoRequest { prompts, .. } => match prompts.as_slice() {
                [] => Vec::new(),
                [prompt] if !prompt.echo && !given => {
                    given = true;
                    vec![password.to_owned()]
                }
                _ => break,
            },
        };
        answer = handle.authenticate_keyboard_interactive_respond(responses).await?;
    }
    Ok(Some(offered))
}

fn refusal(result: AuthResult) -> Option<MethodSet> {
    match result {
        AuthResult::Success => None,
        AuthResult::Failure { remaining_methods, .. } => Some(remaining_methods),
    }
}

fn names(methods: &MethodSet) -> String {
    let names: Vec<&'static str> = methods.iter().map(Into::into).collect();
    if names.is_empty() { "nothing that we know".to_owned() } else { names.join(", ") }
}
