//! As much of TigerBeetle as the stories need: exact replies, burnt ids, linked chains.

use alloy_primitives::Address;
use bridge_core::{
    account::{GATE_OPERATOR, NewAccount, SUSPENSE, Side},
    amount::LedgerAmount,
    asset::LedgerId,
    command::LedgerCommand,
    event::LedgerEvent,
    id::{AccountId, PersonClass, TransferId},
    invariant::Books,
    reserves::VaultReading,
    transfer::{AccountResult, FoundPhase, FoundTransfer, NewTransfer, Phase, TransferResult},
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
struct Account {
    new: NewAccount,
    closed: bool,
    debits: [u128; 2],
    credits: [u128; 2],
}

const PENDING: usize = 0;
const POSTED: usize = 1;

#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    accounts: BTreeMap<AccountId, Account>,
    transfers: BTreeMap<TransferId, NewTransfer>,
    burnt: BTreeSet<TransferId>,
    /// In the order of execution.
    pub(crate) history: Vec<NewTransfer>,
    /// Most events in a request.
    pub(crate) limit: usize,
    /// What the ledger's sums lie about.
    pub(crate) unbooked: i128,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        let mut ledger = Self {
            accounts: BTreeMap::new(),
            transfers: BTreeMap::new(),
            burnt: BTreeSet::new(),
            history: Vec::new(),
            limit: 8189,
            unbooked: 0,
        };
        // The process makes the foundation before it starts the core.
        ledger.create_account(&NewAccount::chart(LedgerId::CONTROL, GATE_OPERATOR));
        ledger
    }

    /// What the owner could still spend.
    pub(crate) fn balance(&self, ledger: LedgerId, owner: Address) -> u128 {
        self.available(AccountId::person(PersonClass::Funds, ledger, owner))
    }

    pub(crate) fn suspense(&self, ledger: LedgerId) -> u128 {
        self.available(AccountId::chart(ledger, SUSPENSE.number))
    }

    /// Posted debits of an account.
    pub(crate) fn debits(&self, id: AccountId) -> u128 {
        self.accounts.get(&id).map_or(0, |a| a.debits[POSTED])
    }

    /// Posted debits less posted credits.
    pub(crate) fn net(&self, id: AccountId) -> u128 {
        self.accounts.get(&id).map_or(0, |a| a.debits[POSTED] - a.credits[POSTED])
    }

    /// What an account that holds something can still be credited.
    pub(crate) fn room(&self, id: AccountId) -> u128 {
        let room = |a: &Account| a.debits[POSTED] - a.credits[POSTED] - a.credits[PENDING];
        self.accounts.get(&id).map_or(0, room)
    }

    /// True if a transfer with this id was tried, whatever came of it.
    pub(crate) fn was_tried(&self, id: TransferId) -> bool {
        self.burnt.contains(&id) || self.transfers.contains_key(&id)
    }

    /// Moves money by no transfer of ours.
    pub(crate) fn move_posted(&mut self, debit: AccountId, credit: AccountId, amount: u128) {
        self.account(debit).debits[POSTED] += amount;
        self.account(credit).credits[POSTED] += amount;
    }

    pub(crate) fn available(&self, id: AccountId) -> u128 {
        let free = |a: &Account| a.credits[POSTED] - a.debits[POSTED] - a.debits[PENDING];
        self.accounts.get(&id).map_or(0, free)
    }

    pub(crate) fn get(&self, id: TransferId) -> Option<&NewTransfer> {
        self.transfers.get(&id)
    }

    /// Closes the owner's gate: the owner is frozen.
    pub(crate) fn freeze(&mut self, owner: Address) {
        self.create_account(&NewAccount::gate(owner));
        self.account(NewAccount::gate(owner).id).closed = true;
    }

    /// Closes any account.
    pub(crate) fn close(&mut self, id: AccountId) {
        self.account(id).closed = true;
    }

    pub(crate) fn reopen(&mut self, id: AccountId) {
        self.account(id).closed = false;
    }

    /// Somebody was here before us.
    pub(crate) fn create_account(&mut self, new: &NewAccount) -> AccountResult {
        use AccountResult as R;
        let Some(old) = self.accounts.get(&new.id) else {
            let [debits, credits] = [[0, 0], [0, 0]];
            self.accounts.insert(new.id, Account { new: *new, closed: false, debits, credits });
            return R::Ok;
        };
        if old.closed || (old.new.side, old.new.history) != (new.side, new.history) {
            R::ExistsWithDifferentFlags
        } else if old.new.user_data_128 != new.user_data_128 {
            R::ExistsWithDifferentUserData128
        } else if old.new.user_data_64 != new.user_data_64 {
            R::ExistsWithDifferentUserData64
        } else if old.new.user_data_32 != new.user_data_32 {
            R::ExistsWithDifferentUserData32
        } else {
            R::Exists
        }
    }

    fn account(&mut self, id: AccountId) -> &mut Account {
        self.accounts.get_mut(&id).unwrap()
    }

    /// Executes a request and answers it.
    pub(crate) fn execute(&mut self, command: &LedgerCommand) -> LedgerEvent {
        let (request, events) = match command {
            LedgerCommand::CreateAccounts { request, accounts } => (*request, accounts.len()),
            LedgerCommand::CreateTransfers { request, transfers } => (*request, transfers.len()),
            LedgerCommand::LookupTransfers { request, ids } => (*request, ids.len()),
            LedgerCommand::Survey { request, .. } => (*request, 0),
        };
        if events > self.limit {
            return LedgerEvent::TooMuch { request, events };
        }
        match command {
            LedgerCommand::CreateAccounts { request, accounts } => {
                let results = accounts.iter().map(|a| self.create_account(a)).enumerate();
                LedgerEvent::Accounts {
                    request: *request,
                    accounts: accounts.iter().map(|a| a.id).collect(),
                    failures: results.filter(|(_, r)| *r != AccountResult::Ok).collect(),
                }
            }
            LedgerCommand::CreateTransfers { request, transfers } => {
                let failures = transfers.chunk_by(|t, _| t.linked);
                let failures = failures.flat_map(|chain| self.create_chain(chain)).collect();
                LedgerEvent::Transfers { request: *request, failures }
            }
            LedgerCommand::LookupTransfers { request, ids } => {
                let transfers = ids.iter().filter_map(|id| self.find(*id)).collect();
                LedgerEvent::Found { request: *request, transfers }
            }
            LedgerCommand::Survey { request, vaults } => {
                let readings = vaults.iter().filter_map(|v| self.survey(*v)).collect();
                LedgerEvent::Surveyed { request: *request, readings }
            }
        }
    }

    fn survey(&self, (ledger, vault): (LedgerId, AccountId)) -> Option<VaultReading> {
        let account = self.accounts.get(&vault)?;
        let moves = |t: &&NewTransfer| match t.phase {
            Phase::Direct | Phase::Balancing => t.debit == vault || t.credit == vault,
            Phase::Post(pending) => self.transfers[&pending].credit == vault,
            Phase::Pending | Phase::Void(_) => false,
        };
        let newest = self.history.iter().rev().filter(moves).map(|t| (t.id, t.amount)).collect();
        let of = |a: &&Account| a.new.ledger == ledger;
        let (mut books, mut owed) = (Books::default(), 0_i128);
        for a in self.accounts.values().filter(of) {
            books.debits.0 += a.debits[POSTED];
            books.credits.0 += a.credits[POSTED];
            let net = i128::try_from(a.debits[POSTED]).unwrap()
                - i128::try_from(a.credits[POSTED]).unwrap();
            if a.new.id == vault {
                books.held.0 = u128::try_from(net).unwrap();
            } else {
                owed -= net;
            }
        }
        books.owed.0 = u128::try_from(owed + self.unbooked).unwrap();
        let (debits, credits) = (account.debits[POSTED], account.credits[POSTED]);
        Some(VaultReading {
            ledger,
            debits: LedgerAmount(debits),
            credits: LedgerAmount(credits),
            taken_ns: 1,
            newest,
            is_complete: true,
            books: Some(books),
        })
    }

    /// The ledger as it was before its newest transfers.
    pub(crate) fn restore(&mut self, older: &Self) {
        *self = older.clone();
    }

    fn find(&self, id: TransferId) -> Option<FoundTransfer> {
        let t = self.transfers.get(&id)?;
        let phase = match t.phase {
            Phase::Direct | Phase::Balancing => FoundPhase::Direct,
            Phase::Pending => FoundPhase::Pending,
            Phase::Post(_) => FoundPhase::Post,
            Phase::Void(_) => FoundPhase::Void,
        };
        let NewTransfer { id, debit, credit, amount, .. } = *t;
        let (code, user_data_128, user_data_64) =
            (t.code.number(), t.user_data_128, t.user_data_64);
        Some(FoundTransfer {
            id,
            debit,
            credit,
            amount,
            phase,
            code,
            user_data_128,
            user_data_64,
            timestamp_ns: 1,
        })
    }

    /// All or nothing; of a failed chain only the failing leg's id is burnt.
    fn create_chain(&mut self, chain: &[NewTransfer]) -> Vec<(TransferId, TransferResult)> {
        let before = self.clone();
        for (index, transfer) in chain.iter().enumerate() {
            let result = self.create(transfer);
            if result == TransferResult::Ok {
                continue;
            }
            *self = before;
            if is_burning(result) {
                self.burnt.insert(transfer.id);
            }
            let others = TransferResult::LinkedEventFailed;
            let each = chain.iter().enumerate();
            return each.map(|(i, t)| (t.id, if i == index { result } else { others })).collect();
        }
        Vec::new()
    }

    fn create(&mut self, t: &NewTransfer) -> TransferResult {
        use TransferResult as R;
        if let Some(old) = self.transfers.get(&t.id) {
            return exists(old, t);
        }
        if self.burnt.contains(&t.id) {
            return R::IdAlreadyFailed;
        }
        let mut t = *t;
        if t.phase == Phase::Balancing {
            t.amount.0 = t.amount.0.min(self.available(t.debit));
        }
        let t = &t;
        let result = match t.phase {
            Phase::Direct | Phase::Balancing => self.book(t, POSTED),
            Phase::Pending => self.book(t, PENDING),
            Phase::Post(pending) => self.resolve(t, pending, true),
            Phase::Void(pending) => self.resolve(t, pending, false),
        };
        if result == R::Ok {
            self.transfers.insert(t.id, *t);
            self.history.push(*t);
        }
        result
    }

    fn book(&mut self, t: &NewTransfer, kind: usize) -> TransferResult {
        use TransferResult as R;
        let Some(debit) = self.accounts.get(&t.debit) else { return R::DebitAccountNotFound };
        let Some(credit) = self.accounts.get(&t.credit) else { return R::CreditAccountNotFound };
        if debit.closed {
            return R::DebitAccountAlreadyClosed;
        }
        if credit.closed {
            return R::CreditAccountAlreadyClosed;
        }
        let sum = |[a, b]: [u128; 2]| a.checked_add(b).and_then(|s| s.checked_add(t.amount.0));
        // The server looks for overflows before it looks at balances.
        let (Some(debits), Some(credits)) = (sum(debit.debits), sum(credit.credits)) else {
            return R::OverflowsDebits;
        };
        if debit.new.side == Side::Liability && debits > debit.credits[POSTED] {
            return R::ExceedsCredits;
        }
        if credit.new.side == Side::Asset && credits > credit.debits[POSTED] {
            return R::ExceedsDebits;
        }
        self.account(t.debit).debits[kind] += t.amount.0;
        self.account(t.credit).credits[kind] += t.amount.0;
        R::Ok
    }

    fn resolve(&mut self, t: &NewTransfer, pending: TransferId, post: bool) -> TransferResult {
        use TransferResult as R;
        let Some(p) = self.transfers.get(&pending).copied() else {
            return R::PendingTransferNotFound;
        };
        let ends =
            |e: &NewTransfer| matches!(e.phase, Phase::Post(of) | Phase::Void(of) if of == pending);
        if self.transfers.values().any(ends) {
            return R::PendingTransferAlreadyPosted;
        }
        if t.code != p.code || t.ledger != p.ledger {
            return R::PendingTransferHasDifferentCode;
        }
        self.account(p.debit).debits[PENDING] -= p.amount.0;
        self.account(p.credit).credits[PENDING] -= p.amount.0;
        if post {
            self.account(p.debit).debits[POSTED] += t.amount.0;
            self.account(p.credit).credits[POSTED] += t.amount.0;
        }
        R::Ok
    }
}

fn exists(old: &NewTransfer, new: &NewTransfer) -> TransferResult {
    use TransferResult as R;
    let flags = |t: &NewTransfer| (std::mem::discriminant(&t.phase), t.linked);
    if flags(old) != flags(new) {
        R::ExistsWithDifferentFlags
    } else if old.debit != new.debit {
        R::ExistsWithDifferentDebitAccountId
    } else if old.credit != new.credit {
        R::ExistsWithDifferentCreditAccountId
    } else if old.amount != new.amount {
        R::ExistsWithDifferentAmount
    } else if old.user_data_128 != new.user_data_128 {
        R::ExistsWithDifferentUserData128
    } else if old.user_data_64 != new.user_data_64 {
        R::ExistsWithDifferentUserData64
    } else if old.user_data_32 != new.user_data_32 {
        R::ExistsWithDifferentUserData32
    } else {
        R::Exists
    }
}

fn is_burning(result: TransferResult) -> bool {
    use TransferResult as R;
    matches!(
        result,
        R::DebitAccountNotFound
            | R::CreditAccountNotFound
            | R::PendingTransferNotFound
            | R::ExceedsCredits
            | R::ExceedsDebits
            | R::DebitAccountAlreadyClosed
            | R::CreditAccountAlreadyClosed
    )
}
