//! What is final, kept by the world itself: daemons are judged by it, they never see it.

use crate::chain::{
    Chain,
    vault::{State, Vault},
};
use alloy_primitives::{Address, B256};
use bridge_core::{
    block::{Seq, UnixSeconds},
    vault_event::{Deposit, Request, VaultEvent, VaultLog},
};
use std::{collections::BTreeSet, rc::Rc};

/// Everything final, and what the world did to the ledger on purpose.
#[derive(Debug)]
pub struct Truth {
    /// Final events; the event with number n is at n − 1.
    pub events: Vec<VaultLog>,
    /// Height of the newest final block that ever was.
    pub height: u64,
    /// Hashes of final blocks, by height.
    pub hashes: Vec<B256>,
    /// The vault's counter after each final block, by height.
    pub counters: Vec<u64>,
    /// The contract at the newest final block.
    pub state: Rc<Vault>,
    /// The time of that block.
    pub time: UnixSeconds,
    /// Owners whose funds account belongs to somebody else, with the ledger.
    pub taken_funds: BTreeSet<(u32, Address)>,
    /// Owners whose gate belongs to somebody else.
    pub taken_gates: BTreeSet<Address>,
    /// Ledgers that are registered for another token.
    pub taken_ledgers: BTreeSet<u32>,
    /// True once history contradicts itself.
    pub contradicted: bool,
    /// True once it was mended after that: what was final may stand in other blocks now.
    pub is_rewritten: bool,
}

impl Truth {
    /// Nothing but the blocks before the vault.
    #[must_use]
    pub fn new(chain: &Chain) -> Self {
        let mut truth = Self {
            events: Vec::new(),
            height: 0,
            hashes: Vec::new(),
            counters: Vec::new(),
            state: chain.head().state.clone(),
            time: chain.head().header.timestamp,
            taken_funds: BTreeSet::new(),
            taken_gates: BTreeSet::new(),
            taken_ledgers: BTreeSet::new(),
            contradicted: false,
            is_rewritten: false,
        };
        truth.follow(chain);
        truth
    }

    /// Takes in what became final.
    pub fn follow(&mut self, chain: &Chain) {
        if self.contradicted {
            return;
        }
        while (self.hashes.len() as u64) <= chain.final_height() {
            let Some(block) = chain.at(self.hashes.len() as u64) else { return };
            self.height = block.header.block.number.0;
            self.hashes.push(block.header.block.hash);
            self.counters.push(block.state.last_seq);
            self.events.extend_from_slice(&block.logs);
            self.state = block.state.clone();
            self.time = block.header.timestamp;
        }
    }

    /// A final event.
    #[must_use]
    pub fn event(&self, seq: u64) -> Option<&VaultLog> {
        self.events.get(usize::try_from(seq).ok()?.checked_sub(1)?)
    }

    /// A final deposit.
    #[must_use]
    pub fn deposit(&self, seq: u64) -> Option<&Deposit> {
        let VaultEvent::Deposited(deposit) = &self.event(seq)?.event else { return None };
        Some(deposit)
    }

    /// A final request.
    #[must_use]
    pub fn request(&self, seq: u64) -> Option<&Request> {
        let VaultEvent::Requested(request) = &self.event(seq)?.event else { return None };
        Some(request)
    }

    /// All final requests.
    pub fn requests(&self) -> impl Iterator<Item = (Seq, &Request)> {
        self.events.iter().filter_map(|log| {
            let VaultEvent::Requested(request) = &log.event else { return None };
            Some((log.seq, request))
        })
    }

    /// All final deposits.
    pub fn deposits(&self) -> impl Iterator<Item = (Seq, &Deposit)> {
        self.events.iter().filter_map(|log| {
            let VaultEvent::Deposited(deposit) = &log.event else { return None };
            Some((log.seq, deposit))
        })
    }

    /// Where a withdrawal finally stands.
    #[must_use]
    pub fn state_of(&self, id: B256) -> Option<State> {
        self.state.slot(id).map(|s| s.state)
    }

    /// True if the contract can never pay it any more, by the newest final block.
    #[must_use]
    pub fn is_dead(&self, request: &Request) -> bool {
        match self.state_of(request.id) {
            Some(State::Refused | State::Cancelled) => true,
            Some(State::Requested) => self.time > request.deadline,
            Some(State::Queued(_) | State::Paid | State::Deferred) | None => false,
        }
    }

    /// True if it was paid, finally.
    #[must_use]
    pub fn is_paid(&self, id: B256) -> bool {
        matches!(self.state_of(id), Some(State::Paid | State::Deferred))
    }

    /// True if its account or gate belongs to somebody else.
    #[must_use]
    pub fn is_taken(&self, request: &Request) -> bool {
        self.taken_funds.contains(&(request.ledger.0, request.owner))
            || self.taken_gates.contains(&request.owner)
    }
}
