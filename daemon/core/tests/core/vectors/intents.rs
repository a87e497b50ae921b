//! Section 8: whom purposes name, the chain of an intent, its limits, its honoring.

use super::{
    flows::{BALANCING_DEBIT, LINKED, PENDING, Row, expect_rows, gate_operator},
    typed::obligation_intent,
    vectors,
};
use alloy_primitives::{Address, B256};
use bridge_core::{
    account::{FUNDING, LIMIT_OPERATOR, NewAccount},
    amount::LedgerAmount,
    asset::LedgerId,
    id::{AccountId, Limit, PersonClass, TransferId},
    intent::{CentRate, ObligationIntent, Payee, Reading},
    namespace::{Line, Part},
    transfer::TransferCode,
    user_data::UserData,
};
use serde_json::json;

const DAY_S: u32 = 86_400;
const MONTH_S: u32 = 2_592_000;

const CASH_ODFI: u32 = 1_000_002;

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
