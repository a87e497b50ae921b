//! Users, honest and hostile.

use crate::{
    chain::{
        Chain,
        vault::{Call, MAX_DEADLINE, MIN_DEADLINE, State},
    },
    fault::Fault,
    rng::hash,
    world::{Action, Phase, World},
};
use alloy_primitives::{Address, B256, address};
use bridge_core::gasless::Intent;
use std::collections::{BTreeMap, BTreeSet};

/// A recipient that refuses money.
pub const FAILING_RECIPIENT: Address = address!("0x000000000000000000000000000000000000bad0");

/// What users remember.
#[derive(Debug)]
pub struct Users {
    owners: Vec<Address>,
    /// By token and owner: about what they have, in ledger units.
    has: BTreeMap<(usize, usize), u128>,
    divisors: Vec<u128>,
    /// What they signed to be paid without gas, by id.
    pub(crate) orders: BTreeMap<B256, Intent>,
    /// Transactions of the submitter that were sent at least once.
    pub(crate) sent: BTreeSet<usize>,
}

/// Everybody who owns something in this world.
#[must_use]
pub fn owners() -> Vec<Address> {
    (0..4).map(|n| Address::from_slice(&hash(n, 0x05e7).as_slice()[..20])).collect()
}

impl Users {
    /// Users of this chain's tokens.
    #[must_use]
    pub fn new(chain: &Chain) -> Self {
        let divisors = chain.rules.tokens.iter().map(|l| l.divisor.get()).collect();
        Self {
            owners: owners(),
            has: BTreeMap::new(),
            divisors,
            orders: BTreeMap::new(),
            sent: BTreeSet::new(),
        }
    }

    /// About what somebody has, in ledger units.
    pub(crate) fn worth(&self, token: usize, owner: usize) -> u128 {
        self.has.get(&(token, owner)).copied().unwrap_or_default()
    }

    /// An owner's address, and a token's divisor.
    pub(crate) fn known(&self, token: usize, owner: usize) -> (Address, u128) {
        (self.owners[owner], self.divisors[token])
    }
}

impl World<'_> {
    pub(crate) fn on_user(&mut self) {
        if self.phase != Phase::Trouble {
            return;
        }
        self.on_user_now();
        let pause = self.chances.user.between(60, 420);
        self.after(pause, Action::User);
    }

    /// One thing that some user does.
    pub(crate) fn on_user_now(&mut self) {
        let rng = &mut self.chances.user;
        let (owner, token) = (rng.index(self.users.owners.len()), rng.index(3).min(rng.index(3)));
        let draw = rng.below(100);
        self.note(draw);
        match draw {
            0..=32 => self.deposit(token, owner),
            33..=40 => {
                self.deposit(token, owner);
                self.withdraw(token, owner, false);
            }
            41..=54 => self.withdraw(token, owner, false),
            55..=64 => self.order(token, owner),
            65..=74 => self.be_hostile(token, owner),
            75..=80 => self.submit_ticket(),
            81..=87 => self.tend(|id| Call::Cancel { id }),
            88..=91 => self.tend_queue(|id| Call::Finalize { id }),
            92..=94 => self.tend_queue(|id| Call::Veto { id }),
            95 => self.revoke(),
            96 => self.chain.send(Call::Delist { token }),
            97 => self.chain.send(Call::List { token }),
            _ => {
                let owner = self.users.owners[owner];
                self.chain.send(Call::Claim { token, owner });
            }
        }
    }

    fn deposit(&mut self, token: usize, owner: usize) {
        let units = u128::from(self.chances.user.between(1, 90));
        *self.users.has.entry((token, owner)).or_default() += units;
        let amount = units * self.users.divisors[token];
        let owner = self.users.owners[owner];
        self.chain.send(Call::Deposit { token, owner, amount });
    }

    fn withdraw(&mut self, token: usize, owner: usize, beyond: bool) {
        let has = *self.users.has.entry((token, owner)).or_default();
        let rng = &mut self.chances.user;
        let most = u64::try_from(has).unwrap_or(1).max(1);
        let units = if beyond { most + rng.between(1, 50) } else { rng.between(1, most) };
        let seconds = match rng.below(4) {
            0 => rng.between(MIN_DEADLINE, MAX_DEADLINE / 3),
            _ => rng.between(MAX_DEADLINE / 3, MAX_DEADLINE),
        };
        let fails = rng.per_mille(400) && self.faults.has(Fault::FailingPush);
        let spent = if beyond { 0 } else { u128::from(units).min(has) };
        self.users.has.insert((token, owner), has - spent);
        let amount = u128::from(units) * self.users.divisors[token];
        let owner = self.users.owners[owner];
        let to = if fails { FAILING_RECIPIENT } else { owner };
        if fails {
            self.happened(Fault::FailingPush);
        }
        self.chain.send(Call::Request { token, owner, to, amount, seconds });
    }

    fn be_hostile(&mut self, token: usize, owner: usize) {
        if !self.faults.has(Fault::Hostile) {
            return self.deposit(token, owner);
        }
        self.happened(Fault::Hostile);
        match self.chances.user.below(4) {
            0 => {
                // The request comes first, the money after it.
                self.withdraw(token, owner, true);
                self.deposit(token, owner);
            }
            1 => (0..3).for_each(|_| self.withdraw(token, owner, true)),
            2 => {
                let (amount, owner) = (self.users.divisors[token], self.users.owners[owner]);
                for _ in 0..3 {
                    self.chain.send(Call::Deposit { token, owner, amount });
                }
                // Does not divide: the contract refuses it.
                self.chain.send(Call::Deposit { token, owner, amount: amount * 2 + 1 });
            }
            _ => self.withdraw(token, owner, true),
        }
    }

    /// Somebody who saw the signatures submits them, whenever they like.
    fn submit_ticket(&mut self) {
        let n = self.signers.quorum().len();
        if n == 0 || !self.faults.has(Fault::SelfSubmit) {
            return;
        }
        let pick = self.chances.user.index(n);
        let Some((id, pays)) =
            self.signers.quorum().iter().nth(pick).map(|(id, pays)| (*id, *pays))
        else {
            return;
        };
        self.happened(Fault::SelfSubmit);
        let signers = self.chain.head().state.signers;
        let order = self.users.orders.get(&id).cloned();
        self.chain.send(match order {
            Some(intent) => Call::PayOrder { intent, signers },
            None if pays => Call::Payout { id, signers },
            None => Call::Refuse { id, signers },
        });
    }

    /// Somebody does something about a large payout that waits in the queue.
    fn tend_queue(&mut self, call: impl Fn(alloy_primitives::B256) -> Call) {
        let slots = self.chain.head().state.slots.iter();
        let queued: Vec<_> =
            slots.filter(|s| matches!(s.state, State::Queued(_))).map(|s| s.request.id).collect();
        if queued.is_empty() {
            return self.tend(call);
        }
        self.happened(Fault::Queue);
        self.chain.send(call(queued[self.chances.user.index(queued.len())]));
    }

    /// Somebody does something about one withdrawal that the chain knows.
    fn tend(&mut self, call: impl Fn(alloy_primitives::B256) -> Call) {
        let slots = &self.chain.head().state.slots;
        if slots.is_empty() {
            return;
        }
        let id = slots[self.chances.user.index(slots.len())].request.id;
        if self.faults.has(Fault::Queue) {
            self.happened(Fault::Queue);
        }
        self.chain.send(call(id));
    }
}
