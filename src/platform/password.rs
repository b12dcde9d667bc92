//! Passwords: bcrypt at cost 12, on blocking threads whose number is bounded.
//!
//! bcrypt reads 72 bytes of which one is the terminator and silently ignores the rest, so a password longer than
//! [`MAX_BYTES`] is refused before it is hashed, never cut.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::timeout};

use super::{Error, Result, Secret};

/// The longest password that bcrypt takes whole, in bytes of UTF-8.
pub const MAX_BYTES: usize = 71;
/// NIST SP 800-63B, section 3.1.1.2.
pub const MIN_CHARS: usize = 8;

const COST: u32 = 12;
/// A hash costs a quarter of a second of a core: more at once would only starve the requests beside them.
const MAX_AT_ONCE: usize = 2;
/// How long one waits for its turn. Many at once are refused rather than kept.
const PATIENCE: Duration = Duration::from_secs(5);
/// When it makes sense to try again, in seconds.
const BUSY_FOR: u64 = 5;

/// Hashes and checks passwords.
#[derive(Clone, Debug)]
pub struct Passwords {
    slots: Arc<Semaphore>,
    /// The hash of nothing that anybody knows: checked for unknown names, so that they take as long as known ones.
    decoy: Arc<str>,
    patience: Duration,
}

impl Passwords {
    pub fn new() -> Result<Self> {
        let nobody: [u8; 32] = rand::random();
        let decoy = bcrypt::hash(nobody.map(|byte| byte | 1), COST)
            .map_err(|error| Error::internal("hash a password", error))?;
        Ok(Self { slots: Arc::new(Semaphore::new(MAX_AT_ONCE)), decoy: decoy.into(), patience: PATIENCE })
    }

    /// A bcrypt hash in `$2b$` form. The caller has checked the length with [`check_length`].
    pub async fn hash(&self, password: Secret<String>) -> Result<String> {
        self.on_thread(move || bcrypt::hash(password.expose(), COST)).await
    }

    /// Whether `password` is the one of `hash`; without a hash it takes the same time and is `false`.
    ///
    /// Hashes of any cost and of the forms `$2a$`, `$2b$`, `$2y$` are understood.
    pub async fn verify(&self, password: Secret<String>, hash: Option<String>) -> Result<bool> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.to_string());
        let too_long = password.expose().len() > MAX_BYTES;
        let matches = self.on_thread(move || bcrypt::verify(password.expose(), &hash)).await?;
        Ok(matches && known && !too_long)
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> bcrypt::BcryptResult<T> + Send + 'static,
    ) -> Result<T> {
        let slot = timeout(self.patience, self.slots.clone().acquire_owned()).await;
        let slot = slot.map_err(|_| Error::too_many_requests("auth.busy", BUSY_FOR))?;
        let slot = slot.map_err(|error| Error::internal("hash a password", error))?;
        // The thread holds it, not the caller, who may go away while the thread goes on.
        let work = move || {
            let _held = slot;
            work()
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::internal("hash a password", error))?
            .map_err(|error| Error::internal("hash a password", error))
    }
}

/// Why a new password is refused, in words that say what would do.
pub fn check_length(password: &str) -> Result<(), String> {
    if password.chars().count() < MIN_CHARS {
        return Err(format!("a password has at least {MIN_CHARS} characters"));
    }
    if password.len() > MAX_BYTES {
        return Err(format!(
            "a password has at most {MAX_BYTES} bytes of UTF-8; this one has {}",
            password.len()
        ));
    }
    if password.contains('\0') {
        return Err("a password cannot contain the NUL character".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Kind;

    #[tokio::test]
    async fn a_hash_matches_its_password_only() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$2b$12$"), "{hash}");
        assert!(passwords.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("correct horsf".into(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("correct horse".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_password_is_never_cut() {
        let passwords = Passwords::new().unwrap();
        let whole = "x".repeat(MAX_BYTES);
        let hash = passwords.hash(whole.clone().into()).await.unwrap();
        assert!(passwords.verify(whole.clone().into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify((whole.clone() + "y").into(), Some(hash)).await.unwrap());
        assert!(check_length(&whole).is_ok());
        assert!(check_length(&(whole + "y")).unwrap_err().contains("71 bytes"));
    }

    #[tokio::test]
    async fn who_waits_too_long_for_its_turn_is_told_when_to_come_back() {
        let passwords = Passwords { patience: Duration::from_millis(1), ..Passwords::new().unwrap() };
        let taken = passwords.slots.clone().acquire_many_owned(2).await.unwrap();
        let refused = passwords.verify("correct horse".into(), None).await.unwrap_err();
        assert_eq!((refused.kind, &*refused.code), (Kind::TooManyRequests { retry_after: 5 }, "auth.busy"));
        drop(taken);
        assert!(!passwords.verify("correct horse".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_does_not_make_room_for_another_thread() {
        let passwords = Passwords::new().unwrap();
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let work = passwords.on_thread(move || {
            wait.recv().unwrap_or_default();
            Ok(())
        });
        assert!(timeout(Duration::from_millis(50), work).await.is_err());
        assert_eq!(passwords.slots.available_permits(), MAX_AT_ONCE - 1);
        drop(end);
    }

    #[tokio::test]
    async fn hashes_made_elsewhere_at_cost_ten_are_accepted() {
        let passwords = Passwords::new().unwrap();
        let parts = bcrypt::hash_with_result("from elsewhere", 10).unwrap();
        for version in [bcrypt::Version::TwoA, bcrypt::Version::TwoB, bcrypt::Version::TwoY] {
            let hash = parts.format_for_version(version);
            assert!(passwords.verify("from elsewhere".into(), Some(hash.clone())).await.unwrap(), "{hash}");
        }
    }
}
