//! How long somebody who guessed wrong must wait: per account and address together, per address, and per account.
//!
//! An attempt is counted before the password is looked at, so that many at once are no more than one after the other; a
//! right one is taken back. A pair waits longest. A whole account never waits longer than [`ACCOUNT_WAIT`], and not at all
//! where its owner has signed in from lately, so that nobody can lock the last administrator out by guessing in their name.

use std::{net::IpAddr, time::Duration};

use crate::{platform::token, web::client::network};

const PAIR_FREE: i32 = 5;
const ADDRESS_FREE: i32 = 30;
const ACCOUNT_FREE: i32 = 50;
const LONGEST_WAIT: Duration = Duration::from_mins(15);
const ACCOUNT_WAIT: Duration = Duration::from_secs(10);
/// Failures older than this are forgotten.
pub(super) const MEMORY: Duration = Duration::from_hours(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Pair,
    Address,
    Account,
}

/// One counter: its key in the table, and its rule.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    pub key: Vec<u8>,
    scope: Scope,
}

impl Counter {
    /// How long to wait after this many failures in a row.
    pub fn wait(&self, failures: i32) -> Duration {
        let (free, longest) = match self.scope {
            Scope::Pair => (PAIR_FREE, LONGEST_WAIT),
            Scope::Address => (ADDRESS_FREE, LONGEST_WAIT),
            Scope::Account => (ACCOUNT_FREE, ACCOUNT_WAIT),
        };
        match u32::try_from(failures - free) {
            Ok(over) if over > 0 => Duration::from_secs(1 << over.min(20)).min(longest),
            Ok(_) | Err(_) => Duration::ZERO,
        }
    }

    /// Whether a success of the account from this address proves the failures harmless. Otherwise only itself was none.
    pub fn is_cleared_by_success(&self) -> bool {
        matches!(self.scope, Scope::Pair | Scope::Account)
    }

    /// Whether it counts what was tried from everywhere.
    pub fn is_of_account(&self) -> bool {
        self.scope == Scope::Account
    }
}

/// The counters that an attempt touches. `name` is what was typed, in whatever case.
pub(super) fn counters(name: &str, address: Option<IpAddr>) -> [Counter; 3] {
    let name = name.to_lowercase();
    let address = address.map_or_else(|| "none".to_owned(), |address| network(address).to_string());
    let counter = |scope, text: String| Counter { key: token::hash(&text), scope };
    [
        counter(Scope::Pair, format!("pair {address} {name}")),
        counter(Scope::Address, format!("address {address}")),
        counter(Scope::Account, format!("account {name}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_mistakes_cost_nothing_and_many_cost_ever_more_up_to_a_bound() {
        let [pair, address, account] = counters("Ann", Some([192, 0, 2, 1].into()));
        assert_eq!(pair.wait(PAIR_FREE), Duration::ZERO);
        assert_eq!(pair.wait(PAIR_FREE + 1), Duration::from_secs(2));
        assert_eq!(pair.wait(PAIR_FREE + 3), Duration::from_secs(8));
        assert_eq!(pair.wait(i32::MAX), LONGEST_WAIT);
        assert_eq!(address.wait(PAIR_FREE + 1), Duration::ZERO);
        assert_eq!(account.wait(i32::MAX), ACCOUNT_WAIT);
    }

    #[test]
    fn names_count_alike_in_any_case_and_addresses_apart() {
        let key = |name, last| counters(name, Some([192, 0, 2, last].into())).map(|counter| counter.key);
        assert_eq!(key("Ann", 1), key("aNN", 1));
        let v6 = |last| {
            counters("ann", Some([0x2001, 0xdb8, 0, 1, 0, 0, 0, last].into())).map(|counter| counter.key)
        };
        assert_eq!(v6(1), v6(2));
        let (one, two) = (key("ann", 1), key("ann", 2));
        assert_ne!(one[0], two[0]);
        assert_eq!(one[2], two[2]);
    }
}
