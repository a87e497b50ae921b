//! Section 5: whole transfers, as each flow sends them.

use super::{Vector, hex_number, instance, vectors};
use alloy_primitives::Address;
use bridge_core::{
    account::{FEES, GATE_OPERATOR, LOSS},
    amount::{LedgerAmount, ScaleDivisor, TokenAmount},
    asset::{LedgerId, Listing},
    block::{BlockNumber, BlockRef, Seq, UnixSeconds},
    id::{AccountId, Instance, Kind, TransferId},
    namespace::{Closure, Role},
    posting::{self, Credit},
    transfer::{NewTransfer, Phase, TransferCode},
    user_data::UserData,
    vault_event::{Deposit, Outcome, Request, VaultEvent, VaultLog},
    withdrawal::Withdrawal,
};
use serde_json::{Value, json};

// TigerBeetle's transfer flags.
pub(super) const LINKED: u16 = 1 << 0;
pub(super) const PENDING: u16 = 1 << 1;
const POST: u16 = 1 << 2;
const VOID: u16 = 1 << 3;
pub(super) const BALANCING_DEBIT: u16 = 1 << 4;
const CLOSING_DEBIT: u16 = 1 << 6;

const PROVISIONAL_S: u32 = 3_600;

/// A transfer as the server takes it. Wider than the core's own, which knows what the core sends.
#[derive(Clone, Copy, Default)]
pub(super) struct Row {
    pub(super) id: u128,
    pub(super) debit: u128,
    pub(super) credit: u128,
    pub(super) amount: u128,
    pub(super) ledger: u32,
    pub(super) code: u16,
    pub(super) flags: u16,
    pub(super) timeout: u32,
    pub(super) pending_id: u128,
    pub(super) data: UserData,
}

impl Row {
    fn of(t: &NewTransfer) -> Self {
        let (flags, pending_id) = match t.phase {
            Phase::Pending => (PENDING, 0),
            Phase::Post(pending) => (POST, pending.0),
            Phase::Void(pending) => (VOID, pending.0),
            Phase::Direct => (0, 0),
            Phase::Balancing => (1 << 4, 0),
        };
        Self {
            id: t.id.0,
            debit: t.debit.0,
            credit: t.credit.0,
            amount: t.amount.0,
            ledger: t.ledger.0,
            code: t.code.number(),
            flags: flags | if t.linked { LINKED } else { 0 },
            timeout: 0,
            pending_id,
            data: UserData {
                of_128: t.user_data_128,
                of_64: t.user_data_64,
                of_32: t.user_data_32,
            },
        }
    }

    fn void(self, id: TransferId) -> Self {
        let (ledger, code) = (self.ledger, self.code);
        Self { id: id.0, ledger, code, flags: VOID, pending_id: self.id, ..Self::default() }
    }

    fn linked(self) -> Self {
        Self { flags: self.flags | LINKED, ..self }
    }

    fn to_json(self) -> Value {
        let wide = |n: u128| format!("{n:#034x}");
        json!({
            "id": wide(self.id),
            "debit": wide(self.debit),
            "credit": wide(self.credit),
            "amount": wide(self.amount),
            "ledger": self.ledger,
            "code": self.code,
            "flags": self.flags,
            "timeout": self.timeout,
            "pending_id": wide(self.pending_id),
            "user_data_128": wide(self.data.of_128),
            "user_data_64": format!("{:#018x}", self.data.of_64),
            "user_data_32": self.data.of_32,
        })
    }
}

pub(super) fn expect_rows(v: &Vector, rows: &[Row]) {
    let rows = rows.iter().map(|row| row.to_json()).collect();
    assert_eq!(v.output["transfers"], Value::Array(rows), "{} of {}", v.section, v.input);
}

pub(super) fn gate_operator() -> u128 {
    AccountId::chart(LedgerId::CONTROL, GATE_OPERATOR.number).0
}

/// The deposit of a vector, as the core posts it under attempt 0.
fn core_deposit(v: &Vector, to_suspense: bool) -> NewTransfer {
    let divisor = ScaleDivisor::new(1).unwrap();
    let listing = Listing { token: Address::repeat_byte(7), ledger: v.ledger(), divisor };
    let deposit = Deposit {
        token: listing.token,
        owner: v.address("owner"),
        amount: TokenAmount(v.number("amount")),
        ledger: listing.ledger,
    };
    let log = VaultLog {
        emitter: Address::ZERO,
        block: BlockRef { number: BlockNumber(1), hash: v.hash("block_hash") },
        tx_hash: v.hash("tx_hash"),
        log_index: v.number("log_index"),
        seq: v.seq("seq"),
        event: VaultEvent::Deposited(deposit),
    };
    posting::deposit(of_instance(v), &Credit::of(&listing, &log, &deposit).unwrap(), to_suspense)
}

fn of_instance(v: &Vector) -> Instance {
    instance(v.number("instance"))
}

fn attempt(v: &Vector, kind: Kind) -> u128 {
    TransferId::attempt(of_instance(v), kind, v.seq("seq"), v.number("attempt")).0
}

#[test]
fn final_deposits() {
    for v in vectors("flow_deposit") {
        let posted = Row::of(&core_deposit(&v, v.flag("suspense")));
        expect_rows(&v, &[Row { id: attempt(&v, Kind::Deposit), ..posted }]);
    }
}

#[test]
fn provisional_deposits() {
    for v in vectors("flow_provisional") {
        let id = TransferId::provisional(of_instance(&v), v.seq("seq"), v.hash("block_hash"));
        let id = id.unwrap();
        let shown = Row {
            id: id.0,
            code: TransferCode::Provisional.number(),
            flags: PENDING,
            timeout: PROVISIONAL_S,
            ..Row::of(&core_deposit(&v, false))
        };
        expect_rows(&v, &[shown, shown.void(id.void_of_provisional())]);
    }
}

#[test]
fn superseded_credits() {
    for v in vectors("flow_superseded") {
        let credit = Row::of(&core_deposit(&v, false));
        let take = credit.amount - v.number::<u128>("paid_out");
        let back = Row {
            id: attempt(&v, Kind::DebitedBack),
            debit: credit.credit,
            credit: credit.debit,
            amount: take,
            code: TransferCode::DebitedBack.number(),
            flags: BALANCING_DEBIT,
            data: UserData { of_64: v.number("first_seq"), ..UserData::default() },
            ..credit
        };
        let shortfall = Row {
            id: attempt(&v, Kind::Shortfall),
            debit: AccountId::chart(v.ledger(), LOSS.number).0,
            amount: take - v.number::<u128>("debited"),
            code: TransferCode::Loss.number(),
            flags: 0,
            ..back
        };
        let rows: Vec<Row> = [back, shortfall].into_iter().filter(|r| r.amount > 0).collect();
        expect_rows(&v, &rows);
    }
}

#[test]
fn supersede_records() {
    for v in vectors("flow_supersede_record") {
        let instance = of_instance(&v);
        let record = Row {
            id: TransferId::supersede(instance, v.seq("first_seq")).0,
            debit: AccountId::registry(1, instance.get()).0,
            credit: gate_operator(),
            ledger: LedgerId::CONTROL.0,
            code: TransferCode::DebitedBack.number(),
            data: UserData {
                of_128: UserData::approved(v.hash("evidence")).of_128,
                of_64: v.number("last_seq"),
                of_32: 0,
            },
            ..Row::default()
        };
        expect_rows(&v, &[record]);
    }
}

/// A withdrawal of a vector and the ids of its legs.
struct Legs<'a> {
    v: &'a Vector,
    seq: Option<Seq>,
}

impl<'a> Legs<'a> {
    fn of(v: &'a Vector) -> Self {
        Self { v, seq: (!v.input["seq"].is_null()).then(|| v.seq("seq")) }
    }

    fn id(&self, kind: Kind, role: Role) -> u128 {
        let Some(seq) = self.seq else { return TransferId::gasless(role, self.v.hash("id")).0 };
        TransferId::chain_event(of_instance(self.v), kind, seq).0
    }

    /// What the core sends for.
    fn core(&self) -> Withdrawal {
        let amount = self.v.number("amount");
        let request = Request {
            id: self.v.hash("id"),
            owner: self.v.address("owner"),
            to: Address::repeat_byte(2),
            token: Address::repeat_byte(3),
            amount: TokenAmount(amount),
            deadline: UnixSeconds(self.v.number("deadline")),
            ledger: self.v.ledger(),
        };
        let fee = LedgerAmount(self.v.number("fee"));
        match self.seq {
            Some(seq) => {
                let requested = Withdrawal::requested(seq, request, LedgerAmount(amount));
                Withdrawal { ledger_fee: fee, ..requested }
            }
            None => Withdrawal::found(request, (LedgerAmount(amount), fee)),
        }
    }

    fn reservation(&self) -> Vec<Row> {
        let core = posting::reservation(of_instance(self.v), &self.core());
        let [mut gate, mut main] = [Row::of(&core.gate), Row::of(&core.main)];
        gate.id = self.id(Kind::Gate, Role::Gate);
        main.id = self.id(Kind::Main, Role::Main);
        if self.seq.is_none() {
            main.code = TransferCode::Gasless.number();
        }
        let fee = Row {
            id: self.id(Kind::Fee, Role::Fee),
            credit: AccountId::chart(self.v.ledger(), FEES.number).0,
            amount: self.v.number("fee"),
            code: TransferCode::Fee.number(),
            ..main.linked()
        };
        if fee.amount == 0 { vec![gate, main] } else { vec![gate, fee, main] }
    }

    fn resolution(&self, outcome: Outcome) -> Vec<Row> {
        let core = Row::of(&posting::resolution(of_instance(self.v), &self.core(), outcome).main);
        let end = |pending: &Row, id| Row {
            id,
            amount: if outcome.is_payout() { pending.amount } else { 0 },
            code: pending.code,
            pending_id: pending.id,
            ..core
        };
        match self.reservation().as_slice() {
            [_, main] => vec![end(main, self.id(Kind::Resolve, Role::Resolve))],
            [_, fee, main] => vec![
                end(fee, self.id(Kind::ResolveFee, Role::ResolveFee)).linked(),
                end(main, self.id(Kind::Resolve, Role::Resolve)),
            ],
            _ => unreachable!("a reservation has two or three legs"),
        }
    }
}

#[test]
fn withdrawals() {
    for v in vectors("flow_withdrawal") {
        let legs = Legs::of(&v);
        let rows = match v.text("step") {
            "reserve" => legs.reservation(),
            "post" => legs.resolution(Outcome::Paid),
            "void" => legs.resolution(Outcome::Cancelled),
            other => panic!("step {other}"),
        };
        expect_rows(&v, &rows);
        // The core sends exactly this.
        let (instance, core) = (of_instance(&v), legs.core());
        let end = |outcome| {
            let posting::End { fee, main } = posting::resolution(instance, &core, outcome);
            if core.ledger_fee.0 > 0 { vec![fee, main] } else { vec![main] }
        };
        let ours: Vec<NewTransfer> = match v.text("step") {
            "reserve" => posting::reservation(instance, &core).transfers().collect(),
            "post" => end(Outcome::Deferred),
            _ => end(Outcome::Expired),
        };
        expect_rows(&v, &ours.iter().map(Row::of).collect::<Vec<_>>());
    }
}

#[test]
fn forward_transfers() {
    let codes = [TransferCode::CashFunding, TransferCode::Correction, TransferCode::Loss];
    for v in vectors("flow_forward") {
        let code = codes.into_iter().find(|c| c.number() == v.number::<u16>("code")).unwrap();
        let approval = v.hash("approval_digest");
        let row = Row {
            id: TransferId::forward(approval).0,
            debit: v.number("debit"),
            credit: v.number("credit"),
            amount: v.number("amount"),
            ledger: v.ledger().0,
            code: code.number(),
            flags: if v.flag("balancing") { BALANCING_DEBIT } else { 0 },
            data: UserData::approved(approval),
            ..Row::default()
        };
        expect_rows(&v, &[row]);
    }
}

#[test]
fn closures() {
    for v in vectors("flow_closure") {
        let account = AccountId(v.number("account"));
        let id = |closure| TransferId::closure(closure, account, v.number("round"));
        let close = Row {
            id: id(Closure::Close).0,
            debit: account.0,
            credit: gate_operator(),
            ledger: LedgerId::CONTROL.0,
            code: TransferCode::Closure.number(),
            flags: PENDING | CLOSING_DEBIT,
            ..Row::default()
        };
        let row = if v.flag("closed") { close } else { close.void(id(Closure::Reopen)) };
        expect_rows(&v, &[Row { data: UserData::approved(v.hash("approval_digest")), ..row }]);
    }
}

#[test]
fn ids_burnt_on_purpose() {
    for v in vectors("flow_burn") {
        let pending_id = TransferId::CANNOT_EXIST.0;
        let id = hex_number(&v.input["id"]);
        expect_rows(&v, &[Row { id, flags: VOID, pending_id, ..Row::default() }]);
    }
}
