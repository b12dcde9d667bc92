//! How many streams are open: a bound for the process, and one for each account, so that nobody takes all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::platform::id::UserId;

const MAX_READERS: usize = 1000;
/// Browser tabs and a few scripts.
const MAX_READERS_OF_ONE: usize = 50;

#[derive(Clone, Debug, Default)]
pub struct Seats {
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// Given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Seats,
    user: UserId,
}

impl Seats {
    pub fn take(&self, user: UserId) -> Option<Seat> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(&user).copied().unwrap_or_default();
        if all >= MAX_READERS || own >= MAX_READERS_OF_ONE {
            return None;
        }
        taken.insert(user, own + 1);
        Some(Seat { seats: self.clone(), user })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.user) {
            Some(own) if *own > 1 => *own -= 1,
            Some(_) | None => drop(taken.remove(&self.user)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_cannot_take_the_seats_of_another_and_seats_are_given_back() {
        let (seats, ann, bob) = (Seats::default(), UserId::make(), UserId::make());
        let mut anns: Vec<Seat> = (0..MAX_READERS_OF_ONE).map(|_| seats.take(ann).unwrap()).collect();
        assert!(seats.take(ann).is_none());
        assert!(seats.take(bob).is_some());
        anns.pop();
        assert!(seats.take(ann).is_some());
        anns.clear();
        assert!(seats.taken.lock().unwrap().is_empty());
    }
}
