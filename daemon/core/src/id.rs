//! Derived ids: every account and transfer is named by what it stands for (`docs/encoding.md`).

use crate::{asset::LedgerId, block::Seq};
use alloy_primitives::{Address, B256, keccak256};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A TigerBeetle account id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(#[serde(with = "hex_id")] pub u128);

/// A TigerBeetle transfer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransferId(#[serde(with = "hex_id")] pub u128);

/// K: one vault on one chain, beyond doubt (section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceKey(pub B256);

/// The first 32 bits of K; never configured, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance(u32);

/// What an instance is derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of block 0.
    pub genesis: B256,
    /// The vault contract.
    pub vault: Address,
    /// Keccak-256 of the vault's runtime code.
    pub code_hash: B256,
    /// Hash of the block that created the vault.
    pub deploy_block_hash: B256,
}

impl Identity {
    /// K of section 1.
    #[must_use]
    pub fn key(&self) -> InstanceKey {
        let mut bytes = Vec::with_capacity(164);
        bytes.extend_from_slice(b"sovr.instance.v1");
        bytes.extend_from_slice(&[0; 24]);
        bytes.extend_from_slice(&self.chain_id.to_be_bytes());
        bytes.extend_from_slice(self.genesis.as_slice());
        bytes.extend_from_slice(self.vault.as_slice());
        bytes.extend_from_slice(self.code_hash.as_slice());
        bytes.extend_from_slice(self.deploy_block_hash.as_slice());
        InstanceKey(keccak256(&bytes))
    }
}

impl InstanceKey {
    /// The instance number; `None` for the one key in 2^32 that starts with 32 zero bits.
    #[must_use]
    pub fn instance(self) -> Option<Instance> {
        let number = be_u32(self.0.as_slice());
        (number != 0).then_some(Instance(number))
    }
}

impl Instance {
    /// The plain number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Kinds of namespace 0x01: what a transfer that stands for a chain event does (section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Credit of a deposit.
    Deposit = 0x10,
    /// Pending of a withdrawal.
    Main = 0x21,
    /// Amount-0 leg on the owner's gate.
    Gate = 0x22,
    /// Pending fee of a withdrawal.
    Fee = 0x23,
    /// Post or void of the main pending: one id, so only one of them can win.
    Resolve = 0x24,
    /// Post or void of the fee pending.
    ResolveFee = 0x25,
    /// A credit debited back under a supersede record.
    DebitedBack = 0x31,
    /// What of that the owner did not have, borne by LOSS.
    Shortfall = 0x32,
}

const CHAIN_EVENT: u128 = 0x01;
const SUPERSEDE: u128 = 0x05;
/// Role of the record itself in the namespace of supersede records.
const ROLE_RECORD: u128 = 1;

impl TransferId {
    /// Id of a transfer that stands for the chain event `seq` (attempt 0).
    #[must_use]
    pub fn chain_event(instance: Instance, kind: Kind, seq: Seq) -> Self {
        Self::attempt(instance, kind, seq, 0)
    }

    /// As [`TransferId::chain_event`], for a deposit replayed under a supersede record.
    #[must_use]
    pub fn attempt(instance: Instance, kind: Kind, seq: Seq, attempt: u8) -> Self {
        let id = (CHAIN_EVENT << 120)
            | (u128::from(instance.0) << 88)
            | (u128::from(kind.byte()) << 80)
            | (u128::from(seq.0) << 16)
            | (u128::from(attempt) << 8);
        Self(id)
    }

    /// Id of the supersede record whose range begins with `first`.
    #[must_use]
    pub fn supersede(instance: Instance, first: Seq) -> Self {
        let id = (SUPERSEDE << 120)
            | (u128::from(instance.0) << 88)
            | (ROLE_RECORD << 80)
            | (u128::from(first.0) << 16);
        Self(id)
    }

    /// The event that a transfer of this instance stands for; `None` for other ids.
    #[must_use]
    pub fn event_of(self, instance: Instance) -> Option<(u8, Seq, u8)> {
        let [namespace, i0, i1, i2, i3, kind, s0, s1, s2, s3, s4, s5, s6, s7, attempt, 0] =
            self.0.to_be_bytes()
        else {
            return None;
        };
        let ours = u32::from_be_bytes([i0, i1, i2, i3]) == instance.0;
        let seq = Seq(u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]));
        (u128::from(namespace) == CHAIN_EVENT && ours).then_some((kind, seq, attempt))
    }
}

impl Kind {
    /// The byte in the id.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Deposit => 0x10,
            Self::Main => 0x21,
            Self::Gate => 0x22,
            Self::Fee => 0x23,
            Self::Resolve => 0x24,
            Self::ResolveFee => 0x25,
            Self::DebitedBack => 0x31,
            Self::Shortfall => 0x32,
        }
    }
}

/// Classes of person accounts (section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonClass {
    /// What the bridge owes the person.
    Funds,
    /// Closed while the person is frozen; every debit of theirs carries a leg on it.
    Gate,
    /// What they may still clear within a time.
    Limit(Limit),
}

/// What a limit account limits; always in USD cents, over all ledgers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Everything, within 86,400 s.
    Daily,
    /// Everything, within 2,592,000 s.
    Monthly,
    /// The SKU with this chart number, within 86,400 s.
    Sku(u32),
}

impl PersonClass {
    const fn byte(self) -> u8 {
        match self {
            Self::Funds => 1,
            Self::Gate => 2,
            Self::Limit(Limit::Daily) => 3,
            Self::Limit(Limit::Monthly) => 4,
            Self::Limit(Limit::Sku(_)) => 5,
        }
    }

    /// What follows the address in the preimage of an id.
    const fn extra(self) -> Option<u32> {
        match self {
            Self::Limit(Limit::Sku(number)) => Some(number),
            Self::Funds | Self::Gate | Self::Limit(Limit::Daily | Limit::Monthly) => None,
        }
    }
}

impl AccountId {
    /// A chart account that exists once for a ledger.
    #[must_use]
    pub fn chart(ledger: LedgerId, number: u32) -> Self {
        Self((u128::from(ledger.0) << 64) | u128::from(number))
    }

    /// A chart account that exists once for a vault and ledger.
    #[must_use]
    pub fn vault_chart(ledger: LedgerId, instance: Instance, number: u32) -> Self {
        Self(Self::chart(ledger, number).0 | (u128::from(instance.0) << 32))
    }

    /// A registry account named by a number.
    #[must_use]
    pub fn registry(class: u8, number: u32) -> Self {
        Self((0x40_u128 << 120) | (u128::from(class) << 112) | u128::from(number))
    }

    /// A registry account named by a hash.
    #[must_use]
    pub fn registry_by_hash(class: u8, hash: B256) -> Self {
        Self((0x41_u128 << 120) | (u128::from(class) << 112) | (be_u128(hash.as_slice()) >> 16))
    }

    /// A person's account; the top bit keeps it away from chart and registry.
    #[must_use]
    pub fn person(class: PersonClass, ledger: LedgerId, owner: Address) -> Self {
        let mut bytes = [0_u8; 44];
        let (domain, rest) = bytes.split_at_mut(15);
        domain.copy_from_slice(b"sovr.account.v1");
        let (class_byte, rest) = rest.split_at_mut(1);
        class_byte.copy_from_slice(&[class.byte()]);
        let (ledger_bytes, rest) = rest.split_at_mut(4);
        ledger_bytes.copy_from_slice(&ledger.0.to_be_bytes());
        let (owner_bytes, extra_bytes) = rest.split_at_mut(20);
        owner_bytes.copy_from_slice(owner.as_slice());
        let size = if let Some(extra) = class.extra() {
            extra_bytes.copy_from_slice(&extra.to_be_bytes());
            44
        } else {
            40
        };
        let preimage = bytes.get(..size).unwrap_or_default();
        Self(be_u128(keccak256(preimage).as_slice()) | (1 << 127))
    }
}

/// The first four bytes as a number.
pub(crate) fn be_u32(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |n, b| (n << 8) | u32::from(*b))
}

/// The first eight bytes as a number.
pub(crate) fn be_u64(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |n, b| (n << 8) | u64::from(*b))
}

/// The first sixteen bytes as a number.
pub(crate) fn be_u128(bytes: &[u8]) -> u128 {
    bytes.iter().take(16).fold(0, |n, b| (n << 8) | u128::from(*b))
}

/// Ids as people see them: `0x` and 32 hex digits.
mod hex_id {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(id: &u128, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{id:#034x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u128, D::Error> {
        let text = String::deserialize(d)?;
        let digits = text.strip_prefix("0x").ok_or_else(|| D::Error::custom("no 0x"))?;
        u128::from_str_radix(digits, 16).map_err(D::Error::custom)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#034x}", self.0)
    }
}

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#034x}", self.0)
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
