//! What the chain says, taken in event by event, in the order of their numbers.

use super::{Bridge, Config, is_released};
use crate::{
    account,
    asset::Listing,
    block::Seq,
    chain_view::Finding,
    command::{Notice, Output},
    halt::{Evidence, Told},
    op::Op,
    plausible::Rules,
    posting::Credit,
    vault_event::{
        Deposit, Origin, Outcome, Progress, Request, VaultEvent, VaultLog, WithdrawalEvent,
    },
    withdrawal::Work,
};

impl Bridge {
    pub(super) fn on_finding(&mut self, finding: Finding, out: &mut Output) {
        match finding {
            Finding::Suspect(evidence) => out.notices.push(Notice::Suspect(evidence)),
            Finding::Contradiction(evidence) => self.on_contradiction(evidence, out),
            Finding::Nothing => {}
            Finding::Adopted => self.polled = true,
            Finding::Events(logs) => {
                for log in &logs {
                    if let Err(evidence) = self.take_log(log) {
                        return self.halt(evidence, out);
                    }
                }
                self.reach = self.reach.or(self.view.cursor());
                self.marks.push_back((self.pipeline.enqueued(), self.view.cursor()));
                self.advance_acked();
            }
        }
    }

    /// One final event, in `seq` order.
    fn take_log(&mut self, log: &VaultLog) -> Result<(), Evidence> {
        self.compare(log);
        self.drop_stale(log);
        match &log.event {
            VaultEvent::Listed(listing) => self.take_listing(listing),
            VaultEvent::Deposited(deposit) => return self.take_deposit(log, deposit),
            VaultEvent::Requested(request) => return self.take_request(log.seq, request),
            VaultEvent::Withdrawal(event) => return self.take_progress(log.seq, event),
            VaultEvent::NonceInvalidated(spent) => self.take_spent_nonce(log.seq, spent),
            VaultEvent::Delisted(_) | VaultEvent::Claimed => {}
        }
        Ok(())
    }

    /// The store may know of a withdrawal that was read beyond its checkpoint, in a history that was
    /// given up since: what is under its number now begins anew.
    fn drop_stale(&mut self, log: &VaultLog) {
        let stands = |request: &Request| log.event == VaultEvent::Requested(*request);
        if self.book.get(log.seq).is_some_and(|w| !stands(&w.request)) {
            self.drop_withdrawal(log.seq);
        }
    }

    fn take_listing(&mut self, listing: &Listing) {
        self.listings.insert(listing.ledger, *listing);
        let Config { identity, .. } = &self.config;
        let accounts =
            account::of_listing(listing, self.instance, identity.chain_id, identity.vault);
        if listing.ledger.is_listable() {
            self.pipeline.push(Op::Listing { listing: *listing, accounts });
        } else {
            let safe = self.safe();
            self.blocked.entry(listing.ledger).or_insert(safe);
        }
    }

    pub(crate) const fn rules(&self) -> Rules<'_> {
        Rules { domain: &self.domain, listings: &self.listings }
    }

    /// The credit of a deposit, under the attempt that counts.
    pub(crate) fn credit(&mut self, log: &VaultLog, deposit: &Deposit) -> Result<Credit, Evidence> {
        let amount = self.rules().credited(log, deposit)?;
        let account = self.people.funds(deposit.ledger, deposit.owner);
        Ok(Credit::to(account, amount, log, deposit).under(self.attempt(log.seq)))
    }

    fn take_deposit(&mut self, log: &VaultLog, deposit: &Deposit) -> Result<(), Evidence> {
        let credit = self.credit(log, deposit)?;
        if !self.blocked.contains_key(&deposit.ledger) {
            self.pipeline.push(Op::Deposit(credit));
        }
        Ok(())
    }

    fn take_request(&mut self, seq: Seq, request: &Request) -> Result<(), Evidence> {
        let withdrawal = self.rules().withdrawal(seq, request)?;
        if self.book.get(seq).is_none() && !self.blocked.contains_key(&request.ledger) {
            self.pipeline.push(Op::reserve(self.instance, &withdrawal));
            self.book.insert(withdrawal);
            // Its record takes the place of any that was to be forgotten.
            self.forgotten.retain(|forgotten| *forgotten != seq);
        }
        Ok(())
    }

    fn take_progress(&mut self, seq: Seq, event: &WithdrawalEvent) -> Result<(), Evidence> {
        self.rules().progress(seq, event)?;
        match (event.origin, event.progress) {
            (Origin::Intent, _) => self.take_intent(seq, event),
            (Origin::Request, Progress::Queued(window)) => {
                self.book.change(event.nonce, |w| w.queued = Some(window));
            }
            (Origin::Request, Progress::Ended(outcome)) => {
                return self.take_end(event.nonce, outcome, seq);
            }
        }
        Ok(())
    }

    fn take_end(&mut self, seq: Seq, outcome: Outcome, by: Seq) -> Result<(), Evidence> {
        match self.book.get(seq).map(|w| w.outcome) {
            // What a record superseded has ended by it, however the chain ends it.
            None if self.attempt(seq) > 0 && !outcome.is_payout() => {}
            // Forgotten because it had ended everywhere: a replay. The ledger must agree.
            None => {
                self.foretold.entry(seq).and_modify(|end| *end = by);
                self.pipeline.push(Op::Audit { seq, outcome });
            }
            Some(None) => {
                self.book.change(seq, |w| (w.outcome, w.ended_by) = (Some(outcome), Some(by)));
                if self.attempt(seq) == 0 {
                    self.release(seq, outcome);
                }
            }
            Some(Some(known)) if known.is_payout() == outcome.is_payout() => {}
            Some(Some(_)) => {
                let chain = Told::Step { request: seq, outcome: Some(outcome) };
                return Err(Evidence::WithdrawalDiffers { seq, chain, ledger: None });
            }
        }
        Ok(())
    }

    /// What was not paid is free again: voided in its place among the events, for the owner's next
    /// request may count on it. A post frees nothing and may come whenever it likes.
    pub(super) fn release(&mut self, seq: Seq, outcome: Outcome) {
        if let Some(withdrawal) = self.book.get(seq).filter(|w| is_released(w)) {
            self.pipeline.push(Op::resolve(self.instance, withdrawal, outcome));
            self.book.set_work(seq, Work::Ledger);
        }
    }
}
