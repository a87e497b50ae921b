//! What must be true in the end, and solvency on the way.

use crate::{
    chain::vault::{Slot, State},
    ledger::types::PendingStatus,
    world::{Phase, World},
};
use bridge_core::{
    account::VAULT,
    amount::{LedgerAmount, TokenAmount},
    block::Seq,
    id::{AccountId, TransferId},
    invariant::Position,
    posting::WithdrawalIds,
    vault_event::Request,
};

impl World<'_> {
    /// What the contract accounts for is what the ledger owes, with what is on its way.
    pub(crate) fn check_solvency(&mut self) {
        for token in 0..self.chain.rules.tokens.len() {
            let listing = self.chain.rules.tokens[token];
            if self.truth.taken_ledgers.contains(&listing.ledger.0) {
                continue;
            }
            let position = self.position(token);
            if !position.is_solvent(TokenAmount(self.truth.state.accounted[token])) {
                let detail = format!("{position:?}");
                self.violate("solvency: the vault accounts for what the ledger owes", detail);
            }
        }
    }

    pub(crate) fn position(&self, token: usize) -> Position {
        let listing = self.chain.rules.tokens[token];
        let vault = AccountId::vault_chart(listing.ledger, self.instance, VAULT.number);
        let (debits, credits) =
            self.ledger.account(vault.0).map_or((0, 0), |a| (a.debits_posted, a.credits_posted));
        let unit = listing.divisor.get();
        let unposted = |id: TransferId, amount: u128| {
            if self.ledger.transfer(id.0).is_some() { 0 } else { amount / unit }
        };
        let deposits = self.truth.deposits().filter(|(_, d)| d.ledger == listing.ledger);
        let deposits = deposits.map(|(seq, d)| unposted(self.credit_id(seq), d.amount.0)).sum();
        let end = |s: &Slot| WithdrawalIds::named(self.instance, s.seq, s.request.id).resolve;
        let slots = self.truth.state.slots.iter();
        let payouts = slots
            .filter(|s| s.request.ledger == listing.ledger)
            .filter(|s| matches!(s.state, State::Paid | State::Deferred))
            .map(|s| unposted(end(s), s.request.amount.0))
            .sum();
        Position {
            divisor: listing.divisor,
            vault_debits: LedgerAmount(debits),
            vault_credits: LedgerAmount(credits),
            unposted_deposits: LedgerAmount(deposits),
            unposted_payouts: LedgerAmount(payouts),
            early_deposits: LedgerAmount(0),
            early_payouts: LedgerAmount(0),
        }
    }

    /// True once nothing is left to do anywhere.
    pub(crate) fn is_settled(&self) -> bool {
        let head = &self.chain.head().state;
        let quiet = self.chain.pool.is_empty()
            && self.truth.state.last_seq == head.last_seq
            && self.truth.time.0 + 1 > head_deadline(&head.slots);
        let done = |d: &crate::daemon::Daemon| {
            d.bridge().is_some_and(|b| {
                let summary = b.summary();
                summary.open_withdrawals == 0
                    && summary.up_to_date
                    && !summary.is_comparing
                    && summary.acknowledged.next_seq.0 == head.last_seq + 1
                    && summary.transactions_in_flight == 0
            })
        };
        quiet && self.daemons.iter().all(done)
    }

    pub(crate) fn describe_stuck(&self) -> String {
        let mut text = format!("phase {:?}, final block {}", self.phase, self.truth.height);
        for (n, d) in self.daemons.iter().enumerate() {
            let Some(bridge) = d.bridge() else {
                text.push_str(&format!("; daemon {n} is down"));
                continue;
            };
            let s = bridge.summary();
            let open: Vec<_> =
                bridge.withdrawals().take(4).map(|w| (w.seq.0, w.status(), w.work)).collect();
            text.push_str(&format!(
                "; daemon {n} read {} acknowledged {} final {:?} queued {} open {} {open:?} \
                 transactions {} halted {:?}",
                s.read.block.number,
                s.acknowledged.block.number,
                s.final_block,
                s.queued_operations,
                s.open_withdrawals,
                s.transactions_in_flight,
                s.halted,
            ));
        }
        text
    }

    /// All final deposits are posted, all withdrawals ended the right way.
    pub(crate) fn check_end(&mut self) {
        match self.phase {
            Phase::Trouble => return,
            // Nothing that operators can do mends it.
            Phase::Halting => return,
            Phase::Healing => {}
        }
        let blocked = self.truth.taken_ledgers.clone();
        let deposits: Vec<_> = self.truth.deposits().map(|(s, d)| (s, d.ledger)).collect();
        for (seq, ledger) in deposits {
            let there = self.ledger.transfer(self.credit_id(seq).0).is_some();
            if there == blocked.contains(&ledger.0) {
                let detail = format!("deposit {seq}: posted {there}");
                self.violate("progress: all final deposits are posted", detail);
            }
        }
        let requests: Vec<_> = self.truth.requests().map(|(s, r)| (s, *r)).collect();
        for (seq, request) in requests {
            if !blocked.contains(&request.ledger.0) {
                self.check_ended(seq, &request);
            }
        }
        self.check_orders_ended();
        self.check_sums(&blocked);
    }

    /// Whoever halted is halted after a restart, too.
    pub(crate) fn check_halts(&mut self) {
        for d in 0..self.daemons.len() {
            self.daemons[d].kill();
            match self.daemons[d].start() {
                Ok(()) => self.check_marker(d),
                Err(e) => self.violate("restart: a store that the core wrote can be read", e),
            }
        }
    }

    fn check_ended(&mut self, seq: Seq, request: &Request) {
        let ids = WithdrawalIds::of(self.instance, seq);
        let state = self.truth.state_of(request.id);
        let paid = self.truth.is_paid(request.id);
        let ended = match self.ledger.pending(ids.main.0) {
            // Refused, for its number was used.
            Some(_) if self.is_used(seq, request) => !paid,
            Some(PendingStatus::Posted) => paid,
            Some(PendingStatus::Voided) => !paid,
            Some(PendingStatus::Pending | PendingStatus::Expired) => false,
            None => {
                let burnt = self.ledger.is_burnt(ids.main.0) || self.ledger.is_burnt(ids.gate.0);
                !paid && (burnt || self.truth.is_taken(request))
            }
        };
        if !ended {
            let pending = self.ledger.pending(ids.main.0);
            let detail = format!("withdrawal {seq}: {state:?} on chain, {pending:?} in the ledger");
            self.violate("progress: all withdrawals have ended, alike on both sides", detail);
        }
    }

    /// With nothing on its way, both sides agree without corrections.
    fn check_sums(&mut self, blocked: &std::collections::BTreeSet<u32>) {
        for token in 0..self.chain.rules.tokens.len() {
            let position = self.position(token);
            let ledger = self.chain.rules.tokens[token].ledger;
            let late = position.unposted_deposits.0 + position.unposted_payouts.0;
            if late > 0 && !blocked.contains(&ledger.0) {
                let detail = format!("{position:?}");
                self.violate("progress: nothing is on its way in the end", detail);
            }
        }
    }
}

/// The last deadline of a request that can still be paid.
fn head_deadline(slots: &[crate::chain::vault::Slot]) -> u64 {
    let waits =
        |s: &&crate::chain::vault::Slot| matches!(s.state, State::Requested | State::Queued(_));
    slots.iter().filter(waits).map(|s| s.request.deadline.0).max().unwrap_or(0)
}
