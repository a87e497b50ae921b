//! The core's part in the proof of reserves: the ledger's side of a position, and what a judgement
//! leads to.

use crate::{
    account::VAULT,
    amount::LedgerAmount,
    asset::{LedgerId, Listing},
    block::{BlockRef, Millis},
    bridge::Bridge,
    command::{ChainCommand, Command, Notice, Output},
    endpoint::EndpointId,
    halt::Evidence,
    hearing::Hearing,
    id::{AccountId, Kind, TransferId},
    invariant::Position,
    op::Op,
    reserves::{Claim, Judged, TokenReading, TokenReserves, VaultReading, vaults},
    withdrawal::{Reservation, Withdrawal},
};
use std::collections::{BTreeMap, BTreeSet};

/// How a transfer that moved VAULT relates to what was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    /// It is of an event that was not taken in yet.
    EarlyDeposit,
    /// It is of an end that the chain has not shown yet.
    EarlyPayout,
    /// It is there, though it is still on its way here: somebody else sent it too.
    Sooner,
    /// As it should be.
    Known,
}

impl Bridge {
    /// True if payouts of a ledger may be signed.
    pub(crate) fn may_sign(&self, ledger: LedgerId) -> bool {
        self.reserves.as_ref().is_none_or(|r| r.allows(ledger))
    }

    /// Begins a proof when one is due.
    pub(crate) fn prove(&mut self, now: Millis) {
        let ready = !self.is_comparing() && self.view.is_caught_up() && !self.listings.is_empty();
        let Some(reserves) = &mut self.reserves else { return };
        if !ready || !reserves.is_due(now) {
            return;
        }
        reserves.ask_ledger();
        let instance = self.instance;
        let vault = |ledger| AccountId::vault_chart(ledger, instance, VAULT.number);
        let served = self.listings.values().filter(|l| !self.blocked.contains_key(&l.ledger));
        let vaults = vaults(served, vault);
        self.pipeline.push_witness();
        self.pipeline.push(Op::Survey { vaults });
    }

    /// The ledger's side is taken; what is on its way counts, so it is true of the newest block that
    /// was taken in. The chain is asked about that one.
    pub(crate) fn on_surveyed(&mut self, readings: &[VaultReading], now: Millis, out: &mut Output) {
        if !self.view.is_caught_up() {
            if let Some(reserves) = &mut self.reserves {
                reserves.put_off(now);
            }
            return;
        }
        let cursor = self.view.cursor();
        let claims: BTreeMap<LedgerId, Claim> = readings
            .iter()
            // A ledger that stopped meanwhile lacks what it could not take.
            .filter(|r| !self.blocked.contains_key(&r.ledger))
            .filter_map(|r| Some((r.ledger, self.claim(self.listings.get(&r.ledger)?, r))))
            .collect();
        let Some(reserves) = &mut self.reserves else { return };
        let block = cursor.block;
        let (readers, quorum) = self.view.witnesses(block.number);
        let hearing = Hearing::new(claims.keys().copied().collect(), readers, quorum);
        let asked = reserves.ask_chain(block, cursor.next_seq.minus(1), claims, hearing, now);
        out.commands.extend(asked.into_iter().map(|id| self.ask_holdings(id, block)));
    }

    fn ask_holdings(&self, endpoint: EndpointId, block: BlockRef) -> Command {
        let served = self.listings.values().filter(|l| !self.blocked.contains_key(&l.ledger));
        let tokens = served.map(|l| (l.ledger, l.token)).collect();
        Command::Chain(ChainCommand::ReadHoldings { endpoint, block, tokens })
    }

    fn claim(&self, listing: &Listing, reading: &VaultReading) -> Claim {
        let mut position = Position::new(listing.divisor, reading.debits, reading.credits);
        let mut sooner = BTreeSet::new();
        let mut oldest = Moved::Known;
        let waiting: BTreeMap<TransferId, LedgerAmount> =
            self.pipeline.waiting_deposits(listing.ledger).collect();
        for (id, amount) in &reading.newest {
            oldest = self.moved(*id, &waiting);
            match oldest {
                Moved::EarlyDeposit => add(&mut position.early_deposits, *amount),
                Moved::EarlyPayout => add(&mut position.early_payouts, *amount),
                Moved::Sooner => {
                    sooner.insert(*id);
                }
                Moved::Known => {}
            }
        }
        // The view may have gone back behind a deposit that is on its way already.
        let next = self.view.cursor().next_seq;
        let is_taken =
            |id: &TransferId| id.event_of(self.instance).is_none_or(|(_, seq, _)| seq < next);
        for (id, amount) in &waiting {
            if is_taken(id) && !sooner.contains(id) {
                add(&mut position.unposted_deposits, *amount);
            }
        }
        let paid = self.book.iter().filter(|w| {
            w.request.ledger == listing.ledger
                && self.is_paid(w)
                && !matches!(w.reservation, Reservation::Refused(_))
        });
        for withdrawal in paid {
            let end = TransferId::chain_event(self.instance, Kind::Resolve, withdrawal.seq);
            if !sooner.contains(&end) {
                add(&mut position.unposted_payouts, withdrawal.ledger_amount);
            }
        }
        let is_open = !reading.is_complete && oldest != Moved::Known;
        Claim { position, books: reading.books, is_open }
    }

    fn moved(&self, id: TransferId, waiting: &BTreeMap<TransferId, LedgerAmount>) -> Moved {
        let Some((kind, seq, attempt)) = id.event_of(self.instance) else { return Moved::Known };
        let is_ahead = seq >= self.view.cursor().next_seq;
        if kind == Kind::Deposit.byte() {
            // What a record superseded is not early, however short the chain is now.
            if attempt < self.attempt(seq) {
                return Moved::Known;
            }
            return match (is_ahead, waiting.contains_key(&id)) {
                (true, _) => Moved::EarlyDeposit,
                (false, true) => Moved::Sooner,
                (false, false) => Moved::Known,
            };
        }
        if kind != Kind::Resolve.byte() {
            return Moved::Known;
        }
        let next = self.view.cursor().next_seq;
        match self.book.get(seq) {
            None if self.attempt(seq) > 0 => Moved::Known,
            None if is_ahead || self.foretold.get(&seq).is_some_and(|end| *end >= next) => {
                Moved::EarlyPayout
            }
            None => Moved::Known,
            Some(withdrawal) if self.is_paid(withdrawal) => Moved::Sooner,
            Some(_) => Moved::EarlyPayout,
        }
    }

    /// True if the chain has paid it by what was taken in; after a restart the store may know more.
    fn is_paid(&self, withdrawal: &Withdrawal) -> bool {
        let next = self.view.cursor().next_seq;
        withdrawal.outcome.is_some_and(|o| o.is_payout())
            && withdrawal.ended_by.is_none_or(|seq| seq < next)
    }

    /// An endpoint told the chain's side.
    pub(crate) fn on_holdings(
        &mut self,
        (endpoint, block): (EndpointId, BlockRef),
        readings: &[TokenReading],
        now: Millis,
        out: &mut Output,
    ) {
        let Some(reserves) = &mut self.reserves else { return };
        let outcome = reserves.on_holdings(&self.listings, (endpoint, block), readings, now);
        out.commands.extend(outcome.ask.map(|id| self.ask_holdings(id, block)));
        outcome.liars.iter().for_each(|id| self.view.on_liar(*id, block.number, now));
        for judged in outcome.judged {
            match judged {
                Judged::Broke(broken) => out.notices.push(Notice::ReservesBroken(broken)),
                Judged::Mended(ledger) => out.notices.push(Notice::ReservesMended { ledger }),
                Judged::Persists(broken) => {
                    return self.halt(Evidence::ReservesBroken(broken), out);
                }
            }
        }
    }

    /// Where each token's proof stands.
    pub(crate) fn shown_reserves(&self) -> Vec<TokenReserves> {
        let shown = self.reserves.iter().flat_map(|r| r.shown(self.listings.values()));
        shown.collect()
    }
}

const fn add(sum: &mut LedgerAmount, amount: LedgerAmount) {
    sum.0 = sum.0.saturating_add(amount.0);
}
