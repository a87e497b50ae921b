//! What a vault can say at all. Anything else was misread, or the node lies: it is read again.

use crate::{
    amount::LedgerAmount,
    asset::{LedgerId, Listing},
    block::Seq,
    eip712::Domain,
    halt::{Evidence, Told},
    id::{AccountId, PersonClass},
    posting::{self, Credit},
    vault_event::{Deposit, Origin, Progress, Request, VaultEvent, VaultLog, WithdrawalEvent},
    withdrawal::Withdrawal,
};
use std::collections::BTreeMap;

/// What events are held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) listings: &'a BTreeMap<LedgerId, Listing>,
}

impl Rules<'_> {
    /// Checks the events of a range before any of them is taken in.
    pub(crate) fn check(self, logs: &[VaultLog]) -> Result<(), Evidence> {
        let mut listings = self.listings.clone();
        for log in logs {
            let rules = Rules { listings: &listings, ..self };
            match &log.event {
                VaultEvent::Deposited(deposit) => {
                    rules.credited(log, deposit)?;
                }
                VaultEvent::Requested(request) => {
                    rules.withdrawal(log.seq, request)?;
                }
                VaultEvent::Withdrawal(event) => rules.progress(log.seq, event)?,
                VaultEvent::Listed(listing) => {
                    listings.insert(listing.ledger, *listing);
                }
                VaultEvent::Delisted(_) | VaultEvent::Claimed | VaultEvent::NonceInvalidated => {}
            }
        }
        Ok(())
    }

    /// What a deposit is worth on its ledger.
    pub(crate) fn credited(
        self,
        log: &VaultLog,
        deposit: &Deposit,
    ) -> Result<LedgerAmount, Evidence> {
        let listing = self.listings.get(&deposit.ledger);
        listing
            .and_then(|listing| posting::credited(listing, deposit))
            .ok_or_else(|| Evidence::ImpossibleEvent { seq: log.seq, chain: Told::of(&log.event) })
    }

    /// The credit of a deposit; its account is derived anew.
    pub(crate) fn credit(self, log: &VaultLog, deposit: &Deposit) -> Result<Credit, Evidence> {
        let amount = self.credited(log, deposit)?;
        let account = AccountId::person(PersonClass::Funds, deposit.ledger, deposit.owner);
        Ok(Credit::to(account, amount, log, deposit))
    }

    /// The withdrawal that a request begins.
    pub(crate) fn withdrawal(self, seq: Seq, request: &Request) -> Result<Withdrawal, Evidence> {
        let chain = Told::request(request, None);
        let impossible = Evidence::ImpossibleEvent { seq, chain };
        let listing = self.listings.get(&request.ledger).ok_or(impossible)?;
        let amount = listing.divisor.to_ledger(request.amount).ok_or(impossible)?;
        let its_own = self.domain.request_id(request, seq.0) == request.id;
        if !its_own || listing.token != request.token {
            return Err(impossible);
        }
        Ok(Withdrawal::requested(seq, *request, amount))
    }

    /// Gasless withdrawals come with a later wave: until then nobody reserves for a payout of one.
    pub(crate) const fn progress(self, seq: Seq, event: &WithdrawalEvent) -> Result<(), Evidence> {
        match (event.origin, event.progress) {
            (Origin::Intent, Progress::Ended(outcome)) if outcome.is_payout() => {
                let chain = Told::Step { request: Seq(0), outcome: Some(outcome) };
                Err(Evidence::PaidWithoutReservation { seq, chain })
            }
            (Origin::Intent | Origin::Request, _) => Ok(()),
        }
    }
}
