//! The whole final history of a vault held against the ledger, at once: what `resume`, `supersede`
//! and `reconcile` look at while no engine runs.

use crate::{
    account::VAULT,
    amount::LedgerAmount,
    asset::{LedgerId, Listing},
    block::Seq,
    checkpoint::Reach,
    eip712::Domain,
    halt::{Entry, Evidence, Told},
    id::{AccountId, Instance, Kind, TransferId},
    invariant::Position,
    op::Comparison,
    plausible::Rules,
    posting::{self, Credit, Standing, read_standing},
    reserves::VaultReading,
    supersede::{Supersede, attempt},
    transfer::FoundTransfer,
    vault_event::{Origin, Outcome, Progress, VaultEvent, VaultLog, WithdrawalEvent},
    withdrawal::Withdrawal,
};
use std::collections::BTreeMap;

/// Numbers beyond the chain's last one that are looked up too.
const BEYOND: u64 = 64;

/// Everything final, in order, and how each withdrawal ended.
#[derive(Debug)]
pub struct History {
    instance: Instance,
    domain: Domain,
    records: Vec<Supersede>,
    logs: Vec<VaultLog>,
    listings: BTreeMap<LedgerId, Listing>,
    ends: BTreeMap<Seq, Outcome>,
    reach: Seq,
}

/// What the ledger holds, by id.
pub type Entries = BTreeMap<TransferId, FoundTransfer>;

/// A deposit or withdrawal whose entry is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expected {
    ledger: LedgerId,
    amount: LedgerAmount,
    id: TransferId,
}

impl History {
    /// A history of final events, contiguous from the first on. `reach` is how far a store says that
    /// the bridge once was.
    #[must_use]
    pub fn new(
        instance: Instance,
        domain: Domain,
        records: Vec<Supersede>,
        logs: Vec<VaultLog>,
        reach: Reach,
    ) -> Self {
        let mut listings = BTreeMap::new();
        let mut ends = BTreeMap::new();
        for log in &logs {
            match log.event {
                VaultEvent::Listed(listing) => drop(listings.insert(listing.ledger, listing)),
                VaultEvent::Withdrawal(WithdrawalEvent {
                    origin: Origin::Request,
                    nonce,
                    progress: Progress::Ended(outcome),
                    ..
                }) => drop(ends.insert(nonce, outcome)),
                VaultEvent::Withdrawal(_)
                | VaultEvent::Deposited(_)
                | VaultEvent::Requested(_)
                | VaultEvent::Delisted(_)
                | VaultEvent::Claimed
                | VaultEvent::NonceInvalidated => {}
            }
        }
        let reach = reach.next_seq;
        Self { instance, domain, records, logs, listings, ends, reach }
    }

    /// The listed tokens.
    #[must_use]
    pub const fn listings(&self) -> &BTreeMap<LedgerId, Listing> {
        &self.listings
    }

    /// The number of the last event.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.logs.last().map_or(Seq(0), |log| log.seq)
    }

    /// What the chain says of an event.
    #[must_use]
    pub fn told(&self, seq: Seq) -> Told {
        self.log(seq).map_or(Told::Nothing, |log| match &log.event {
            VaultEvent::Requested(request) => Told::request(request, self.ends.get(&seq).copied()),
            VaultEvent::Deposited(_)
            | VaultEvent::Withdrawal(_)
            | VaultEvent::Listed(_)
            | VaultEvent::Delisted(_)
            | VaultEvent::Claimed
            | VaultEvent::NonceInvalidated => Told::of(&log.event),
        })
    }

    fn log(&self, seq: Seq) -> Option<&VaultLog> {
        self.logs.get(usize::try_from(seq.0).ok()?.checked_sub(1)?)
    }

    const fn rules(&self) -> Rules<'_> {
        Rules { domain: &self.domain, listings: &self.listings }
    }

    pub(crate) fn withdrawal(&self, seq: Seq) -> Option<Withdrawal> {
        let VaultEvent::Requested(request) = &self.log(seq)?.event else { return None };
        self.rules().withdrawal(seq, request).ok()
    }

    /// What a deposit credits, under attempt 0.
    pub(crate) fn credit(&self, seq: Seq) -> Option<Credit> {
        let log = self.log(seq)?;
        let VaultEvent::Deposited(deposit) = &log.event else { return None };
        self.rules().credit(log, deposit).ok()
    }

    /// True if a token is listed by one of these events.
    pub(crate) fn lists_in(&self, first: Seq, last: Seq) -> bool {
        let is_listing = |log: &&VaultLog| matches!(log.event, VaultEvent::Listed(_));
        let mut listings = self.logs.iter().filter(is_listing);
        listings.any(|log| (first..=last).contains(&log.seq))
    }

    /// How a request ended on chain.
    pub(crate) fn end(&self, seq: Seq) -> Option<Outcome> {
        self.ends.get(&seq).copied()
    }

    fn comparison(&self, seq: Seq) -> Comparison {
        let attempt = attempt(&self.records, seq);
        let deposit = self
            .credit(seq)
            .map(|credit| posting::deposit(self.instance, &credit.under(attempt), false));
        let main = self.withdrawal(seq).map(|w| {
            let [_, main] = posting::reservation(self.instance, &w);
            main
        });
        Comparison {
            seq,
            chain: self.told(seq),
            deposit: (TransferId::attempt(self.instance, Kind::Deposit, seq, attempt), deposit),
            main: (TransferId::chain_event(self.instance, Kind::Main, seq), main),
            is_superseded: attempt > 0,
        }
    }

    fn numbers(&self) -> impl Iterator<Item = Seq> {
        let last = self.last().plus(BEYOND).max(self.reach);
        (1..=last.0).map(Seq)
    }

    /// Everything that must be looked up in the ledger.
    #[must_use]
    pub fn ids(&self) -> Vec<TransferId> {
        let of = |seq| {
            let c = self.comparison(seq);
            [c.deposit.0, c.main.0, TransferId::chain_event(self.instance, Kind::Resolve, seq)]
        };
        self.numbers().flat_map(of).collect()
    }

    /// Everything in which chain and ledger contradict each other.
    #[must_use]
    pub fn differences(&self, entries: &Entries) -> Vec<Evidence> {
        let listings = BTreeMap::new();
        let possible = Rules { domain: &self.domain, listings: &listings }.check(&self.logs);
        let mut found: Vec<Evidence> = possible.err().into_iter().collect();
        for seq in self.numbers() {
            let comparison = self.comparison(seq);
            match comparison.judge(|id| entries.get(&id).copied()) {
                Some(evidence) => found.push(evidence),
                None => found.extend(self.end_differs(seq, &comparison, entries)),
            }
        }
        found
    }

    fn end_differs(
        &self,
        seq: Seq,
        comparison: &Comparison,
        entries: &Entries,
    ) -> Option<Evidence> {
        let expected = comparison.main.1.as_ref()?;
        let main = entries.get(&comparison.main.0);
        let resolve = TransferId::chain_event(self.instance, Kind::Resolve, seq);
        let standing = read_standing(Some(expected), main, entries.get(&resolve));
        let chain = comparison.chain;
        let differs = || {
            let entry = |m: &FoundTransfer| Entry { account: m.debit, amount: m.amount, standing };
            let ledger = main.map(entry);
            Some(Evidence::WithdrawalDiffers { seq, chain, ledger })
        };
        match (standing, self.end(seq)) {
            (Standing::Absent, Some(end)) if end.is_payout() => {
                Some(Evidence::PaidWithoutReservation { seq, chain })
            }
            (Standing::Voided, Some(end)) if end.is_payout() => differs(),
            (Standing::Posted, Some(end)) if end.is_payout() => None,
            (Standing::Posted, _) => differs(),
            (Standing::Contradiction, Some(end)) if end.is_payout() => {
                Some(Evidence::PaidWithoutReservation { seq, chain })
            }
            (Standing::Contradiction, _) if !comparison.is_superseded => differs(),
            (Standing::Absent | Standing::Open | Standing::Voided | Standing::Contradiction, _) => {
                None
            }
        }
    }

    /// The ledger's side of a token, as of the instant of `reading` and the end of this history.
    /// `None` for a ledger that is not listed.
    #[must_use]
    pub fn position(&self, reading: &VaultReading, entries: &Entries) -> Option<Position> {
        let listing = self.listings.get(&reading.ledger)?;
        let mut position = Position::new(listing.divisor, reading.debits, reading.credits);
        let there = |e: &Expected| {
            entries.get(&e.id).is_some_and(|found| found.timestamp_ns <= reading.taken_ns)
        };
        let of = |e: &Expected| e.ledger == reading.ledger;
        let missing = |all: Vec<Expected>| {
            let amounts = all.iter().filter(|e| of(e) && !there(e)).map(|e| e.amount.0);
            LedgerAmount(amounts.fold(0, u128::saturating_add))
        };
        position.unposted_deposits = missing(self.deposits());
        position.unposted_payouts = missing(self.payouts());
        for (id, amount) in &reading.newest {
            let Some((kind, seq, of)) = id.event_of(self.instance) else { continue };
            // What a record superseded is not early, however short the chain is now.
            let attempt = attempt(&self.records, seq);
            if of < attempt || (kind == Kind::Resolve.byte() && attempt > 0) {
                continue;
            }
            let paid = || self.end(seq).is_some_and(|end| end.is_payout());
            if kind == Kind::Deposit.byte() && seq > self.last() {
                position.early_deposits.0 = position.early_deposits.0.saturating_add(amount.0);
            } else if kind == Kind::Resolve.byte() && seq > self.last() && !paid() {
                position.early_payouts.0 = position.early_payouts.0.saturating_add(amount.0);
            }
        }
        Some(position)
    }

    fn deposits(&self) -> Vec<Expected> {
        let deposit = |log: &VaultLog| {
            let credit = self.credit(log.seq)?;
            let id = credit.under(attempt(&self.records, log.seq)).id(self.instance);
            Some(Expected { ledger: credit.ledger, amount: credit.amount, id })
        };
        self.logs.iter().filter_map(deposit).collect()
    }

    fn payouts(&self) -> Vec<Expected> {
        let paid = self.ends.iter().filter(|(_, end)| end.is_payout());
        let payout = |(seq, _): (&Seq, &Outcome)| {
            let withdrawal = self.withdrawal(*seq)?;
            let id = TransferId::chain_event(self.instance, Kind::Resolve, *seq);
            let (ledger, amount) = (withdrawal.request.ledger, withdrawal.ledger_amount);
            Some(Expected { ledger, amount, id })
        };
        paid.filter_map(payout).collect()
    }

    /// The VAULT account of a ledger.
    #[must_use]
    pub fn vault(&self, ledger: LedgerId) -> AccountId {
        AccountId::vault_chart(ledger, self.instance, VAULT.number)
    }
}
