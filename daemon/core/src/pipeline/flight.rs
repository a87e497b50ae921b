//! What the answers to a batch mean for each of its operations.

use super::{Flight, Pipeline, Stage};
use crate::{
    command::RequestId,
    halt::Entry,
    id::{Kind, TransferId},
    op::{Done, Op, Reserved, Resolved},
    posting::{
        Chain, DepositVerdict, End, ReservationVerdict, Standing, WithdrawalIds, is_resolved,
        read_deposit, read_reservation,
    },
    transfer::{FoundPhase, FoundTransfer, TransferResult},
    vault_event::Outcome,
    withdrawal::RefusalReason,
};
use std::{collections::BTreeMap, mem};

impl Pipeline {
    pub(super) fn conclude(&self, flight: &mut Flight, op: Op) -> Done {
        let served = self.serves(&op);
        match op {
            Op::Listing { listing, accounts } => {
                Done::Listed { listing, served: !self.any_taken(&accounts) }
            }
            Op::Deposit(credit) => {
                let id = credit.id(self.instance);
                let verdict =
                    if served { read_deposit(flight.result(id)) } else { DepositVerdict::Blocked };
                Done::Deposited { credit, verdict, entry: flight.entries.get(&id).copied() }
            }
            Op::Reserve { seq, .. } if !served => {
                Done::Reserved { seq, verdict: Reserved::Blocked, entry: None }
            }
            Op::Reserve { seq, chain, accounts, .. } => {
                let taken = self.any_taken(accounts.as_slice());
                let verdict = flight.conclude_reservation(&chain, taken);
                Done::Reserved { seq, verdict, entry: entry(flight, chain.main.id) }
            }
            Op::Confirm { seq, pending, .. } => {
                let standing = flight.standing(pending.id);
                Done::Confirmed { seq, standing, entry: entry(flight, pending.id) }
            }
            Op::Audit { seq, outcome } => {
                let id = TransferId::chain_event(self.instance, Kind::Main, seq);
                let agrees = agrees(flight.standing(id), outcome);
                Done::Audited { seq, outcome, ledger: entry(flight, id), agrees }
            }
            Op::Resolve { seq, id, outcome, end, .. } => {
                let main = WithdrawalIds::named(self.instance, seq, id).main;
                let verdict = flight.conclude_resolution(outcome, main, &end);
                Done::Resolved { seq, outcome, verdict, entry: entry(flight, main) }
            }
            Op::Recover => Done::Recovered(mem::take(&mut flight.open)),
            Op::Compare(_) => Done::Compared,
            Op::Witness { .. } => Done::Witnessed,
            Op::Survey { .. } => Done::Surveyed(mem::take(&mut flight.readings)),
        }
    }
}

fn entry(flight: &Flight, main: TransferId) -> Option<Entry> {
    flight.entries.get(&main).copied()
}

impl Flight {
    pub(super) const fn of(ops: Vec<Op>) -> Self {
        Self {
            ops,
            stage: Stage::Accounts,
            request: RequestId(0),
            attempt: 0,
            retry_at: None,
            standings: BTreeMap::new(),
            entries: BTreeMap::new(),
            readings: Vec::new(),
            open: Vec::new(),
            fees: BTreeMap::new(),
            is_witnessed: false,
            results: BTreeMap::new(),
        }
    }

    pub(super) fn result(&self, id: TransferId) -> TransferResult {
        self.results.get(&id).copied().unwrap_or(TransferResult::Ok)
    }

    fn standing(&self, pending: TransferId) -> Standing {
        self.standings.get(&pending).copied().unwrap_or(Standing::Absent)
    }

    pub(super) fn read_chain(&self, Chain { gate, fee, main }: &Chain) -> ReservationVerdict {
        let fee = fee.map(|fee| self.result(fee.id));
        read_reservation(self.result(gate.id), fee, self.result(main.id))
    }

    fn conclude_reservation(&self, chain: &Chain, taken: bool) -> Reserved {
        if taken {
            return Reserved::Refused(RefusalReason::AddressMismatch);
        }
        let main = &chain.main;
        match self.read_chain(chain) {
            ReservationVerdict::Reserved => Reserved::Standing,
            ReservationVerdict::Refused(reason) => Reserved::Refused(reason),
            ReservationVerdict::Contradiction => Reserved::Contradiction,
            ReservationVerdict::Blocked => Reserved::Blocked,
            ReservationVerdict::LookUp => match self.standing(main.id) {
                Standing::Open => Reserved::Standing,
                Standing::Posted => Reserved::Ended(true),
                Standing::Voided => Reserved::Ended(false),
                Standing::Absent | Standing::Contradiction => Reserved::Contradiction,
            },
        }
    }

    fn conclude_resolution(&self, outcome: Outcome, pending: TransferId, end: &End) -> Resolved {
        let good = match self.standing(pending) {
            // Where the chain was executed before, its first leg exists and the rest is not looked at.
            Standing::Open if self.result(end.fee.id) == TransferResult::Exists => true,
            Standing::Open => is_resolved(self.result(end.main.id)),
            Standing::Posted => outcome.is_payout(),
            Standing::Voided => !outcome.is_payout(),
            Standing::Absent if !outcome.is_payout() => return Resolved::NothingReserved,
            Standing::Absent | Standing::Contradiction => false,
        };
        if good { Resolved::Done } else { Resolved::Contradiction }
    }
}

/// Whether the ledger's end of a withdrawal fits the chain's. What was refused was never reserved.
const fn agrees(standing: Standing, outcome: Outcome) -> bool {
    match standing {
        Standing::Posted => outcome.is_payout(),
        Standing::Voided | Standing::Absent => !outcome.is_payout(),
        Standing::Open | Standing::Contradiction => false,
    }
}

/// What a found credit says, to show it.
pub(super) fn entry_of_credit(found: &FoundTransfer) -> Option<(TransferId, Entry)> {
    let standing = Standing::Posted;
    let entry = Entry { account: found.credit, amount: found.amount, standing };
    (found.phase == FoundPhase::Direct).then_some((found.id, entry))
}
