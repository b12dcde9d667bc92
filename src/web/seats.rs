//! How many streams are open: a bound for the process, and one for each account or host, so that none takes all.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// The seats of a house, counted by who sits in them. Clones share them.
#[derive(Clone, Debug)]
pub struct Seats<K> {
    most: usize,
    most_of_one: usize,
    taken: Arc<Mutex<HashMap<K, usize>>>,
}

/// Given back when it is dropped.
#[derive(Debug)]
pub struct Seat<K: Copy + Eq + Hash> {
    seats: Seats<K>,
    of: K,
}

impl<K: Copy + Eq + Hash> Seats<K> {
    pub fn new(most: usize, most_of_one: usize) -> Self {
        Self { most, most_of_one, taken: Arc::default() }
    }

    pub fn take(&self, of: K) -> Option<Seat<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(&of).copied().unwrap_or_default();
        if all >= self.most || own >= self.most_of_one {
            return None;
        }
        taken.insert(of, own + 1);
        Some(Seat { seats: self.clone(), of })
    }
}

impl<K: Copy + Eq + Hash> Drop for Seat<K> {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.of) {
            Some(own) if *own > 1 => *own -= 1,
            Some(_) | None => drop(taken.remove(&self.of)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cannot_take_the_seats_of_another_and_seats_are_given_back() {
        let (seats, ann, bob) = (Seats::new(5, 3), "ann", "bob");
        let mut anns: Vec<Seat<&str>> = (0..3).map(|_| seats.take(ann).unwrap()).collect();
        assert!(seats.take(ann).is_none());
        assert!(seats.take(bob).is_some());
        anns.pop();
        assert!(seats.take(ann).is_some());
        anns.clear();
        assert!(seats.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn the_house_is_full_whoever_sits_in_it() {
        let seats = Seats::new(2, 2);
        let (_one, _two) = (seats.take(1).unwrap(), seats.take(2).unwrap());
        assert!(seats.take(3).is_none());
    }
}
