//! The text of an order: what the owner signed, and the signature. Every field that is wrong is told.

use super::super::problem::{FieldFault, Problem};
use alloy::primitives::{Bytes, U256};
use bridge_core::{
    amount::TokenAmount,
    block::UnixSeconds,
    gasless::{Intent, SIGNATURE_BYTES_MAX},
};
use serde_json::{Map, Value};
use std::str::FromStr;

/// The fields, in the order in which they are signed.
const FIELDS: [&str; 8] =
    ["owner", "to", "token", "amount", "fee", "nonce", "deadline", "signature"];

/// Reads an order.
///
/// # Errors
/// With all fields that are missing, unknown or no such thing.
pub(super) fn read(body: &[u8]) -> Result<Intent, Problem> {
    let order: Map<String, Value> = serde_json::from_slice(body).map_err(|e| {
        Problem::bad_request(format!(
            "not a JSON object with the fields {}: {e}",
            FIELDS.join(", ")
        ))
    })?;
    let mut order = Order { order, faults: Vec::new() };
    let intent = order.intent();
    order.refuse_strangers();
    match intent {
        Some(intent) if order.faults.is_empty() => Ok(intent),
        _ => Err(Problem::refused(order.faults)),
    }
}

struct Order {
    order: Map<String, Value>,
    faults: Vec<FieldFault>,
}

impl Order {
    fn intent(&mut self) -> Option<Intent> {
        let address = "0x and 40 hex digits";
        let units = "token units in decimal digits, as text";
        let (owner, to) = (self.parsed("owner", address), self.parsed("to", address));
        let token = self.parsed("token", address);
        let (amount, fee) = (self.parsed("amount", units), self.parsed("fee", units));
        let nonce = self.parsed::<U256>("nonce", "a number below 2^256, as text");
        let deadline = self.parsed("deadline", "Unix seconds");
        let signature = self.parsed("signature", "0x and the signature's hex digits");
        let signature: Option<Bytes> = signature.filter(|signature: &Bytes| {
            let fits = signature.len() <= SIGNATURE_BYTES_MAX;
            if !fits {
                let most = format!("at most {SIGNATURE_BYTES_MAX} bytes");
                self.faults.push(FieldFault::malformed("signature", &most));
            }
            fits
        });
        Some(Intent {
            owner: owner?,
            to: to?,
            token: token?,
            amount: TokenAmount(amount?),
            fee: TokenAmount(fee?),
            nonce: nonce?,
            deadline: UnixSeconds(deadline?),
            signature: signature?,
        })
    }

    /// Numbers may come as numbers where JSON keeps them exactly.
    fn parsed<T: FromStr>(&mut self, field: &'static str, right: &str) -> Option<T> {
        let text = match self.order.get(field) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) if number.is_u64() => Some(number.to_string()),
            Some(_) | None => None,
        };
        let needs_prefix = right.starts_with("0x");
        let text = text.filter(|text| !needs_prefix || text.starts_with("0x"));
        let value = text.and_then(|text| text.parse().ok());
        if value.is_none() {
            self.faults.push(FieldFault::malformed(field, right));
        }
        value
    }

    fn refuse_strangers(&mut self) {
        let unknown = self.order.keys().filter(|key| !FIELDS.contains(&key.as_str()));
        for key in unknown.take(FIELDS.len()) {
            let key: String = key.chars().take(40).collect();
            self.faults.push(FieldFault::unknown(&key, &FIELDS.join(", ")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::Address;
    use serde_json::json;

    fn good() -> Value {
        json!({
            "owner": Address::repeat_byte(1), "to": Address::repeat_byte(2),
            "token": Address::repeat_byte(3), "amount": "340282366920938463463374607431768211455",
            "fee": "0", "nonce": "0x10", "deadline": 1_700_000_000_u64, "signature": "0x0102",
        })
    }

    fn faults(order: &Value) -> Vec<(String, &'static str)> {
        let problem = read(order.to_string().as_bytes()).unwrap_err();
        problem.faults().iter().map(|f| (f.field().to_owned(), f.code())).collect()
    }

    #[test]
    fn an_order_is_read_exactly() {
        let intent = read(good().to_string().as_bytes()).unwrap();
        assert_eq!((intent.amount.0, intent.fee.0), (u128::MAX, 0));
        assert_eq!((intent.nonce, intent.deadline.0), (U256::from(16), 1_700_000_000));
        assert_eq!(intent.signature, Bytes::from_static(&[1, 2]));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let mut order = good();
        order["amount"] = json!(1.5);
        order["to"] = json!("0202020202020202020202020202020202020202");
        order["deadline"] = Value::Null;
        order["signature"] = json!(format!("0x{}", "00".repeat(SIGNATURE_BYTES_MAX + 1)));
        order["memo"] = json!("hello");
        let expected =
            ["to", "amount", "deadline", "signature"].map(|f| (f.to_owned(), "malformed"));
        let expected: Vec<_> =
            expected.into_iter().chain([("memo".to_owned(), "unknown-field")]).collect();
        assert_eq!(faults(&order), expected);
        assert!(read(b"[]").is_err() && read(b"").is_err());
    }
}
