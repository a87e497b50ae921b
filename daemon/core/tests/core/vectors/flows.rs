//! Sections 5 and 8: whole transfers, as each flow sends them.

use super::{Vector, hex_number, instance, typed::obligation_intent, vectors};
use alloy_primitives::{Address, B256};
use bridge_core::{
    account::{FEES, FUNDING, GATE_OPERATOR, LIMIT_OPERATOR, LOSS, NewAccount},
    amount::{LedgerAmount, ScaleDivisor, TokenAmount},
    asset::{LedgerId, Listing},
    block::{BlockNumber, BlockRef, Seq, UnixSeconds},
    id::{AccountId, Instance, Kind, Limit, PersonClass, TransferId},
    intent::{CentRate, ObligationIntent, Payee, Reading},
    namespace::{Closure, Line, Part, Role},
    posting::{self, Credit},
    transfer::{NewTransfer, Phase, TransferCode},
    user_data::UserData,
    vault_event::{Deposit, Outcome, Request, VaultEvent, VaultLog},
    withdrawal::Withdrawal,
};
use serde_json::{Value, json};

// TigerBeetle's transfer flags.
const LINKED: u16 = 1 << 0;
const PENDING: u16 = 1 << 1;
const POST: u16 = 1 << 2;
const VOID: u16 = 1 << 3;
const BALANCING_DEBIT: u16 = 1 << 4;
const BALANCING_CREDIT: u16 = 1 << 5;
const CLOSING_DEBIT: u16 = 1 << 6;

const DAY_S: u32 = 86_400;
const MONTH_S: u32 = 2_592_000;
const PROVISIONAL_S: u32 = 3_600;

const CASH_ODFI: u32 = 1_000_002;

/// A transfer as the server takes it. Wider than the core's own, which knows what the core sends.
#[derive(Clone, Copy, Default)]
struct Row {
    id: u128,
    debit: u128,
    credit: u128,
    amount: u128,
    ledger: u32,
    code: u16,
    flags: u16,
    timeout: u32,
    pending_id: u128,
    data: UserData,
}

impl Row {
    fn of(t: &NewTransfer) -> Self {
        let (flags, pending_id) = match t.phase {
            Phase::Pending => (PENDING, 0),
            Phase::Post(pending) => (POST, pending.0),
            Phase::Void(pending) => (VOID, pending.0),
            Phase::Direct => (0, 0),
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

fn expect_rows(v: &Vector, rows: &[Row]) {
    let rows = rows.iter().map(|row| row.to_json()).collect();
    assert_eq!(v.output["transfers"], Value::Array(rows), "{} of {}", v.section, v.input);
}

fn gate_operator() -> u128 {
    AccountId::chart(LedgerId::CONTROL, GATE_OPERATOR.number).0
}

fn funds(ledger: LedgerId, owner: Address) -> u128 {
    NewAccount::funds(ledger, owner).id.0
}

#[test]
fn purposes() {
    for v in vectors("purpose") {
        let clearing = LedgerId(v.number("clearing"));
        let payee = Payee::of(v.text("purpose"), v.ledger(), clearing);
        let account = payee.map(|p| p.account.to_string());
        let ours = json!({ "account": account, "sku": payee.and_then(|p| p.sku) });
        assert_eq!(v.output, ours, "{}", v.input);
    }
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
        let back = Row {
            id: attempt(&v, Kind::DebitedBack),
            debit: credit.credit,
            credit: credit.debit,
            code: TransferCode::DebitedBack.number(),
            flags: BALANCING_DEBIT | BALANCING_CREDIT,
            ..credit
        };
        let shortfall = Row {
            id: attempt(&v, Kind::Shortfall),
            debit: AccountId::chart(v.ledger(), LOSS.number).0,
            amount: credit.amount - v.number::<u128>("debited"),
            code: TransferCode::Loss.number(),
            flags: BALANCING_CREDIT,
            ..back
        };
        let rows = [back, shortfall];
        expect_rows(&v, if shortfall.amount == 0 { &rows[..1] } else { &rows });
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

    /// What the core sends for a request without a fee.
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
        Withdrawal::requested(self.seq.unwrap_or(Seq(0)), request, LedgerAmount(amount))
    }

    fn reservation(&self) -> Vec<Row> {
        let core = posting::reservation(of_instance(self.v), &self.core());
        let [mut gate, mut main] = [Row::of(&core[0]), Row::of(&core[1])];
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
        let core = Row::of(&posting::resolution(of_instance(self.v), &self.core(), outcome));
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
        // The core sends exactly this where it has the flow: requests, which have no fee.
        if legs.seq.is_some() {
            let (instance, core) = (of_instance(&v), legs.core());
            let ours: Vec<NewTransfer> = match v.text("step") {
                "reserve" => posting::reservation(instance, &core).into(),
                "post" => vec![posting::resolution(instance, &core, Outcome::Deferred)],
                _ => vec![posting::resolution(instance, &core, Outcome::Expired)],
            };
            expect_rows(&v, &ours.iter().map(Row::of).collect::<Vec<_>>());
        }
    }
}

/// The chain of an obligation intent.
struct Chain<'a> {
    digest: B256,
    intent: &'a ObligationIntent,
    rate: CentRate,
}

impl Chain<'_> {
    fn leg(&self, line: Line, part: Part, code: TransferCode) -> Row {
        let id = TransferId::intent_leg(self.intent.issued_at(), self.digest, line, part);
        Row {
            id: id.unwrap().0,
            code: code.number(),
            flags: LINKED,
            data: UserData::intent(self.digest, self.intent.expires_at(), line),
            ..Row::default()
        }
    }

    fn gate(&self) -> Row {
        Row {
            debit: NewAccount::gate(self.intent.user).id.0,
            credit: gate_operator(),
            ledger: LedgerId::CONTROL.0,
            ..self.leg(Line::FIRST, Part::Gate, TransferCode::Gate)
        }
    }

    fn limit(&self, line: Line, limit: Limit, cents: LedgerAmount) -> Row {
        let (part, code, timeout) = match limit {
            Limit::Daily => (Part::DailyLimit, TransferCode::DailyLimit, DAY_S),
            Limit::Monthly => (Part::MonthlyLimit, TransferCode::MonthlyLimit, MONTH_S),
            Limit::Sku(_) => (Part::SkuLimit, TransferCode::SkuLimit, DAY_S),
        };
        Row {
            debit: NewAccount::limit(limit, self.intent.user).id.0,
            credit: AccountId::chart(LedgerId::LIMITS, LIMIT_OPERATOR.number).0,
            amount: cents.0,
            ledger: LedgerId::LIMITS.0,
            flags: LINKED | PENDING,
            timeout,
            ..self.leg(line, part, code)
        }
    }

    fn payment(&self, line: Line, amount: u128, payee: &Payee) -> Row {
        Row {
            debit: funds(LedgerId(self.intent.ledger), self.intent.user),
            credit: payee.account.0,
            amount,
            ledger: self.intent.ledger,
            ..self.leg(line, Part::Payment, TransferCode::Obligation)
        }
    }

    fn rows(&self, reading: &Reading) -> Vec<Row> {
        let total = reading.total_cents;
        let mut rows = vec![
            self.gate(),
            self.limit(Line::FIRST, Limit::Daily, total),
            self.limit(Line::FIRST, Limit::Monthly, total),
        ];
        for (at, (line, payee)) in self.intent.lines.iter().zip(&reading.payees).enumerate() {
            let index = Line::new(at).unwrap();
            if let Some(sku) = payee.sku {
                let worth = self.rate.cents(LedgerAmount(line.amount)).unwrap();
                rows.push(self.limit(index, Limit::Sku(sku), worth));
            }
            rows.push(self.payment(index, line.amount, payee));
        }
        rows.last_mut().unwrap().flags = 0;
        rows
    }
}

#[test]
fn obligation_intents() {
    let mut refused = 0;
    for v in vectors("flow_intent") {
        let intent = obligation_intent(&v);
        let rate = CentRate {
            numerator: v.number::<u64>("cents_numerator").try_into().unwrap(),
            denominator: v.number::<u64>("cents_denominator").try_into().unwrap(),
        };
        let chain = Chain { digest: v.hash("digest"), intent: &intent, rate };
        match intent.read(LedgerId(v.number("clearing")), rate) {
            Ok(reading) => expect_rows(&v, &chain.rows(&reading)),
            Err(fault) => {
                assert!(v.output["transfers"].is_null(), "{fault}: {}", v.input);
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn limit_funding() {
    for v in vectors("flow_limit_funding") {
        let owner = v.address("address");
        let limit = match v.number::<u8>("class") {
            3 => Limit::Daily,
            4 => Limit::Monthly,
            5 => Limit::Sku(v.number("extra")),
            other => panic!("class {other}"),
        };
        let account = NewAccount::limit(limit, owner).id;
        assert_eq!(account, AccountId::person(PersonClass::Limit(limit), LedgerId::LIMITS, owner));
        let funding = AccountId::chart(LedgerId::LIMITS, FUNDING.number).0;
        let revision = v.number("revision");
        let lower = v.flag("lower");
        let (debit, credit) = if lower { (account.0, funding) } else { (funding, account.0) };
        let row = Row {
            id: TransferId::limit_funding(account, revision).0,
            debit,
            credit,
            amount: v.number("amount"),
            ledger: LedgerId::LIMITS.0,
            code: TransferCode::LimitFunding.number(),
            flags: if lower { BALANCING_DEBIT } else { 0 },
            data: UserData::limit_funding(owner, revision),
            ..Row::default()
        };
        expect_rows(&v, &[row]);
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
fn honored_lines() {
    for v in vectors("flow_honored") {
        let (ledger, line) = (v.ledger(), Line::new(v.number("line")).unwrap());
        let (credit, agent) = match v.input["agent"].as_u64() {
            Some(number) => (AccountId::chart(ledger, CASH_ODFI).0, u32::try_from(number).unwrap()),
            None => (funds(ledger, v.address("agent")), 0),
        };
        let row = Row {
            id: TransferId(v.number("payment")).honored(v.number("attempt")).0,
            debit: v.number("payee"),
            credit,
            amount: v.number("amount"),
            ledger: ledger.0,
            code: TransferCode::Honored.number(),
            data: UserData::honored(v.hash("digest"), line, agent),
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
