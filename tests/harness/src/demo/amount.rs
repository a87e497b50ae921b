//! Amounts as people write them: `1,250.5 TUSD`.

use crate::contracts::Token;
use anyhow::{Context, Result, ensure};

/// Token units as people write them.
pub(super) fn shown(units: u128, token: &Token) -> String {
    format!("{} {}", plain(units, token.decimals), token.symbol)
}

/// Reads `1,250.5` into token units.
pub(super) fn parse(text: &str, token: &Token) -> Result<u128> {
    let text = text.replace(',', "");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let places = usize::from(token.decimals);
    ensure!(fraction.len() <= places, "{text} has more than {places} decimal places");
    let digits = format!("{whole}{fraction:0<places$}");
    digits.parse().with_context(|| format!("not an amount: {text}"))
}

fn plain(units: u128, decimals: u8) -> String {
    let places = usize::from(decimals);
    let digits = format!("{units:0>width$}", width = places.saturating_add(1));
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(places));
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{}{dot}{fraction}", grouped(whole))
}

fn grouped(whole: &str) -> String {
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len().saturating_sub(index)).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::ETHER;

    fn token(decimals: u8) -> Token {
        Token { symbol: "T".into(), address: ETHER, decimals, ledger: 1001, scale_divisor: 1 }
    }

    #[test]
    fn there_and_back() {
        for (text, decimals, units) in [
            ("1.5", 18, 1_500_000_000_000_000_000),
            ("0", 6, 0),
            ("1,250.5", 6, 1_250_500_000),
            ("10,000", 0, 10_000),
            ("123,456,789.000001", 6, 123_456_789_000_001),
        ] {
            assert_eq!(parse(text, &token(decimals)).unwrap(), units);
            assert_eq!(shown(units, &token(decimals)), format!("{text} T"));
        }
        assert!(parse("0.0000001", &token(6)).is_err());
        assert!(parse("one", &token(6)).is_err());
    }
}
