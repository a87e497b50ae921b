//! What the answers to a batch mean for each of its operations.

use super::{Flight, Pipeline, Stage};
use crate::{
    block::Seq,
    command::RequestId,
    halt::Entry,
    id::{Kind, TransferId},
    op::{Done, Op, Reserved, Resolved},
    posting::{
        DepositVerdict, ReservationVerdict, Standing, is_resolved, read_deposit, read_reservation,
    },
    transfer::{FoundPhase, FoundTransfer, NewTransfer, TransferResult},
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
            Op::Reserve { seq, chain, accounts } => {
                let taken = self.any_taken(accounts.as_slice());
                let verdict = flight.conclude_reservation(&chain, taken);
                Done::Reserved { seq, verdict, entry: self.entry(flight, seq) }
            }
            Op::Confirm { seq, pending } => {
                let standing = flight.standing(pending.id);
                Done::Confirmed { seq, standing, entry: self.entry(flight, seq) }
            }
            Op::Audit { seq, outcome } => {
                let id = TransferId::chain_event(self.instance, Kind::Main, seq);
                let agrees = agrees(flight.standing(id), outcome);
                Done::Audited { seq, outcome, ledger: self.entry(flight, seq), agrees }
            }
            Op::Resolve { seq, outcome, pending, end } => {
                let verdict = flight.conclude_resolution(outcome, pending.id, end.id);
                Done::Resolved { seq, outcome, verdict, entry: self.entry(flight, seq) }
            }
            Op::Compare(_) => Done::Compared,
            Op::Witness { .. } => Done::Witnessed,
            Op::Survey { .. } => Done::Surveyed(mem::take(&mut flight.readings)),
        }
    }

    fn entry(&self, flight: &Flight, seq: Seq) -> Option<Entry> {
        let main = TransferId::chain_event(self.instance, Kind::Main, seq);
        flight.entries.get(&main).copied()
    }
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

    pub(super) fn read_chain(&self, [gate, main]: &[NewTransfer; 2]) -> ReservationVerdict {
        read_reservation(self.result(gate.id), self.result(main.id))
    }

    fn conclude_reservation(&self, chain: &[NewTransfer; 2], taken: bool) -> Reserved {
        if taken {
            return Reserved::Refused(RefusalReason::AddressMismatch);
        }
        let [_, main] = chain;
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

    fn conclude_resolution(
        &self,
        outcome: Outcome,
        pending: TransferId,
        end: TransferId,
    ) -> Resolved {
        let good = match self.standing(pending) {
            Standing::Open => is_resolved(self.result(end)),
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
