//! The requests of a batch: which accounts, lookups and transfers it needs.

use super::{Flight, Pipeline, Stage};
use crate::{
    account::NewAccount,
    block::Seq,
    command::{LedgerCommand, RequestId},
    id::TransferId,
    op::Op,
    posting::{self, DepositVerdict, End, ReservationVerdict, Standing, read_deposit},
    transfer::{NewTransfer, Phase},
};
use std::collections::BTreeSet;

impl Pipeline {
    pub(super) fn command(&self, flight: &mut Flight, request: RequestId) -> Option<LedgerCommand> {
        if flight.stage == Stage::Accounts {
            let accounts = self.missing_accounts(&flight.ops);
            if !accounts.is_empty() {
                return Some(LedgerCommand::CreateAccounts { request, accounts });
            }
            flight.stage = Stage::LookUp;
        }
        if let [Op::Recover] = flight.ops.as_slice() {
            return Some(LedgerCommand::Recover { request, instance: self.instance });
        }
        if let [Op::Survey { vaults }] = flight.ops.as_slice() {
            return Some(LedgerCommand::Survey { request, vaults: vaults.clone() });
        }
        if flight.stage == Stage::LookUp {
            let ids = self.lookups(&flight.ops);
            if !ids.is_empty() {
                return Some(LedgerCommand::LookupTransfers { request, ids });
            }
            flight.stage = Stage::Transfers;
        }
        if flight.stage == Stage::Transfers {
            let transfers = self.transfers(flight);
            if !transfers.is_empty() {
                return Some(LedgerCommand::CreateTransfers { request, transfers });
            }
            flight.stage = Stage::Verify;
        }
        let ids = self.verifications(flight);
        (!ids.is_empty()).then_some(LedgerCommand::LookupTransfers { request, ids })
    }

    pub(super) fn take_batch(&mut self) -> Vec<Op> {
        let mut ops = Vec::new();
        let mut size = 0_usize;
        let mut reserved = BTreeSet::new();
        while let Some(op) = self.queue.front() {
            size = size.saturating_add(op.weight());
            let alone = op.is_alone();
            // Lookups come before a batch's transfers: what this batch reserves is not there yet.
            let too_early = op.withdrawal().is_some_and(|seq| reserved.contains(&seq));
            if !ops.is_empty() && (alone || too_early || size > self.batch_max) {
                break;
            }
            if matches!(op, Op::Reserve { .. }) {
                reserved.extend(op.withdrawal());
            }
            ops.extend(self.queue.pop_front());
            if alone {
                break;
            }
        }
        ops
    }

    fn missing_accounts(&self, ops: &[Op]) -> Vec<NewAccount> {
        let mut seen = BTreeSet::new();
        let mut missing = Vec::new();
        let mut need = |account: NewAccount| {
            if !self.known.contains_key(&account.id) && seen.insert(account.id) {
                missing.push(account);
            }
        };
        for op in ops.iter().filter(|op| self.serves(op)) {
            match op {
                Op::Listing { accounts, .. } => accounts.iter().copied().for_each(&mut need),
                // Most owners are known: only the others are worth the hashing.
                Op::Deposit(credit) if self.known.contains_key(&credit.account) => {}
                Op::Deposit(credit) => need(credit.new_account()),
                Op::Reserve { accounts, .. } => accounts.iter().copied().for_each(&mut need),
                Op::Confirm { .. }
                | Op::Audit { .. }
                | Op::Resolve { .. }
                | Op::Compare(_)
                | Op::Witness { .. }
                | Op::Recover
                | Op::Survey { .. } => {}
            }
        }
        missing
    }

    fn lookups(&self, ops: &[Op]) -> Vec<TransferId> {
        let mut ids = Vec::new();
        for op in ops {
            match op {
                Op::Confirm { .. } | Op::Audit { .. } | Op::Resolve { .. } => {
                    ids.extend(self.legs(op));
                }
                Op::Compare(c) => ids.extend([c.deposit.0, c.main.0]),
                Op::Witness { transfer, .. } => ids.push(*transfer),
                Op::Listing { .. }
                | Op::Deposit(_)
                | Op::Reserve { .. }
                | Op::Recover
                | Op::Survey { .. } => {}
            }
        }
        ids
    }

    /// What an answer leaves open, and both versions of what contradicts itself.
    fn verifications(&self, flight: &Flight) -> Vec<TransferId> {
        let mut ids = Vec::new();
        for op in flight.ops.iter().filter(|op| self.serves(op)) {
            match op {
                Op::Reserve { chain, accounts, .. } if !self.any_taken(accounts.as_slice()) => {
                    let verdict = flight.read_chain(chain);
                    if matches!(
                        verdict,
                        ReservationVerdict::LookUp | ReservationVerdict::Contradiction
                    ) {
                        ids.extend(self.legs(op));
                    }
                }
                Op::Deposit(credit) => {
                    let id = credit.id(self.instance);
                    if read_deposit(flight.result(id)) == DepositVerdict::Contradiction {
                        ids.push(id);
                    }
                }
                Op::Listing { .. }
                | Op::Reserve { .. }
                | Op::Confirm { .. }
                | Op::Audit { .. }
                | Op::Resolve { .. }
                | Op::Compare(_)
                | Op::Witness { .. }
                | Op::Recover
                | Op::Survey { .. } => {}
            }
        }
        ids
    }

    /// The pending and its end; for a gasless withdrawal the fee as well.
    fn legs(&self, op: &Op) -> Vec<TransferId> {
        let Some(ids) = op.ids(self.instance) else { return Vec::new() };
        let fee = op.withdrawal().is_some_and(Seq::is_intent).then_some(ids.fee);
        [ids.main, ids.resolve].into_iter().chain(fee).collect()
    }

    fn transfers(&self, flight: &Flight) -> Vec<NewTransfer> {
        let mut transfers = Vec::with_capacity(flight.ops.len());
        for op in flight.ops.iter().filter(|op| self.serves(op)) {
            match op {
                Op::Deposit(credit) => {
                    let taken = self.is_taken(credit.account);
                    transfers.push(posting::deposit(self.instance, credit, taken));
                }
                Op::Reserve { chain, accounts, .. } if !self.any_taken(accounts.as_slice()) => {
                    transfers.extend(chain.transfers());
                }
                Op::Resolve { end, .. } => transfers.extend(flight.to_end(end)),
                Op::Listing { .. }
                | Op::Reserve { .. }
                | Op::Confirm { .. }
                | Op::Audit { .. }
                | Op::Compare(_)
                | Op::Witness { .. }
                | Op::Recover
                | Op::Survey { .. } => {}
            }
        }
        transfers
    }
}

impl Flight {
    /// What ends a pending that stands: with its fee's, where the ledger holds one.
    fn to_end(&self, end: &End) -> impl Iterator<Item = NewTransfer> + use<> {
        let pending = match end.main.phase {
            Phase::Post(id) | Phase::Void(id) => Some(id),
            Phase::Direct | Phase::Balancing | Phase::Pending => None,
        };
        let open = pending.filter(|id| self.standings.get(id) == Some(&Standing::Open));
        let fee = open.and_then(|id| self.fees.get(&id)).map(|_there| end.fee);
        fee.into_iter().chain(open.map(|_stands| end.main))
    }
}
