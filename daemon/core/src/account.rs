//! The chart of accounts: which accounts exist, on which side, with which flags.

use crate::{
    asset::{LedgerId, Listing},
    id::{AccountId, Identity, Instance, InstanceKey, Limit, PersonClass, be_u32, be_u64, be_u128},
};
use alloy_primitives::{Address, B256, keccak256};

/// An account to create; creating it again is success when everything is equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// Derived id.
    pub id: AccountId,
    /// Ledger it belongs to.
    pub ledger: LedgerId,
    /// Account code (`docs/encoding.md`, section 3).
    pub code: u16,
    /// Which side may not be exceeded.
    pub side: Side,
    /// Whether the ledger keeps a balance for every transfer.
    pub history: bool,
    /// Who or what it stands for.
    pub user_data_128: u128,
    /// See `user_data_128`.
    pub user_data_64: u64,
    /// See `user_data_128`.
    pub user_data_32: u32,
}

/// Which balance limit an account has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Credits must not exceed debits: we hold it.
    Asset,
    /// Debits must not exceed credits: we owe it.
    Liability,
    /// No limit.
    Free,
}

/// A named account of the specification or of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChartEntry {
    /// Number in the id.
    pub number: u32,
    /// The name people use.
    pub name: &'static str,
    /// Account code.
    pub code: u16,
    /// Its side.
    pub side: Side,
}

const fn entry(number: u32, name: &'static str, code: u16, side: Side) -> ChartEntry {
    ChartEntry { number, name, code, side }
}

/// The specification's chart; it lives on the configured clearing ledger.
pub const CLEARING_CHART: [ChartEntry; 11] = [
    entry(1_000_001, "SYSTEM_RESERVE", 5, Side::Liability),
    entry(1_000_002, "CASH_ODFI", 6, Side::Asset),
    entry(1_000_003, "ACH_CLEARING_LLC", 7, Side::Free),
    entry(3_000_001, "STRIPE_SETTLEMENT", 8, Side::Liability),
    entry(3_000_002, "INSTACART_CLEARING", 8, Side::Liability),
    entry(3_000_003, "UTILITY_PROVIDERS", 8, Side::Liability),
    entry(4_000_001, "MILK_OBLIGATION", 9, Side::Liability),
    entry(4_000_002, "EGGS_OBLIGATION", 9, Side::Liability),
    entry(4_000_003, "BREAD_OBLIGATION", 9, Side::Liability),
    entry(5_000_001, "NARRATIVE_MIRROR", 10, Side::Free),
    entry(5_000_002, "AUDIT_TRAIL", 10, Side::Free),
];

/// What the vault holds; one for every vault and ledger.
pub const VAULT: ChartEntry = entry(6_000_001, "VAULT", 1, Side::Asset);
/// Credits whose owner's account id is taken by somebody else.
pub const SUSPENSE: ChartEntry = entry(6_000_002, "SUSPENSE", 2, Side::Liability);
/// Fees owed to the operator.
pub const FEES: ChartEntry = entry(6_000_003, "FEES", 3, Side::Liability);
/// What the operator has to make good.
pub const LOSS: ChartEntry = entry(6_000_004, "LOSS", 4, Side::Asset);
/// The other side of every limit leg.
pub const LIMIT_OPERATOR: ChartEntry = entry(6_000_005, "LIMIT_OPERATOR", 11, Side::Free);
/// Where limit accounts get what they hold at most.
pub const FUNDING: ChartEntry = entry(6_000_006, "FUNDING", 12, Side::Free);
/// The other side of every gate leg.
pub const GATE_OPERATOR: ChartEntry = entry(6_000_007, "GATE_OPERATOR", 13, Side::Free);

const CODE_FUNDS: u16 = 100;
const CODE_GATE: u16 = 101;
const CODE_DAILY_LIMIT: u16 = 102;
const CODE_MONTHLY_LIMIT: u16 = 103;
const CODE_SKU_LIMIT: u16 = 104;
const CODE_REGISTRY_INSTANCE: u16 = 200;
const CODE_REGISTRY_LEDGER: u16 = 201;
const CODE_REGISTRY_PASSKEY: u16 = 202;
const CLASS_INSTANCE: u8 = 1;
const CLASS_LEDGER: u8 = 2;
const CLASS_PASSKEY: u8 = 3;

impl NewAccount {
    const fn plain(id: AccountId, ledger: LedgerId, code: u16, side: Side) -> Self {
        let history = false;
        let (user_data_128, user_data_64, user_data_32) = (0, 0, 0);
        Self { id, ledger, code, side, history, user_data_128, user_data_64, user_data_32 }
    }

    /// A chart account that exists once for a ledger.
    #[must_use]
    pub fn chart(ledger: LedgerId, entry: ChartEntry) -> Self {
        Self::plain(AccountId::chart(ledger, entry.number), ledger, entry.code, entry.side)
    }

    /// The vault's own account on a ledger.
    #[must_use]
    pub fn vault(ledger: LedgerId, instance: Instance, chain_id: u64, vault: Address) -> Self {
        let id = AccountId::vault_chart(ledger, instance, VAULT.number);
        Self {
            history: true,
            user_data_64: chain_id,
            ..Self::plain(id, ledger, VAULT.code, VAULT.side).of(vault)
        }
    }

    /// A person's funds on a token's ledger.
    #[must_use]
    pub fn funds(ledger: LedgerId, owner: Address) -> Self {
        let id = AccountId::person(PersonClass::Funds, ledger, owner);
        let account = Self::plain(id, ledger, CODE_FUNDS, Side::Liability).of(owner);
        Self { history: true, ..account }
    }

    /// A person's gate; one for all ledgers.
    #[must_use]
    pub fn gate(owner: Address) -> Self {
        let ledger = LedgerId::CONTROL;
        let id = AccountId::person(PersonClass::Gate, ledger, owner);
        Self::plain(id, ledger, CODE_GATE, Side::Free).of(owner)
    }

    /// The id of an instance's registry entry.
    #[must_use]
    pub fn instance_id(instance: Instance) -> AccountId {
        AccountId::registry(CLASS_INSTANCE, instance.get())
    }

    /// The write-once record that an instance number belongs to K.
    #[must_use]
    pub fn instance_registry(key: InstanceKey, instance: Instance) -> Self {
        let k = key.0.as_slice();
        let id = Self::instance_id(instance);
        let account = Self::plain(id, LedgerId::CONTROL, CODE_REGISTRY_INSTANCE, Side::Free);
        account.with_value(k.get(4..).unwrap_or_default())
    }

    /// The write-once record that a ledger number belongs to one token and scale.
    #[must_use]
    pub fn ledger_registry(chain_id: u64, listing: &Listing) -> Self {
        let value = listing_hash(chain_id, listing);
        let id = AccountId::registry(CLASS_LEDGER, listing.ledger.0);
        let account = Self::plain(id, LedgerId::CONTROL, CODE_REGISTRY_LEDGER, Side::Free);
        account.with_value(value.as_slice())
    }

    /// A person's limit, in USD cents over all ledgers.
    #[must_use]
    pub fn limit(limit: Limit, owner: Address) -> Self {
        let (code, user_data_64) = match limit {
            Limit::Daily => (CODE_DAILY_LIMIT, 0),
            Limit::Monthly => (CODE_MONTHLY_LIMIT, 0),
            Limit::Sku(number) => (CODE_SKU_LIMIT, u64::from(number)),
        };
        let ledger = LedgerId::LIMITS;
        let id = AccountId::person(PersonClass::Limit(limit), ledger, owner);
        Self { user_data_64, ..Self::plain(id, ledger, code, Side::Liability).of(owner) }
    }

    /// The record that the P-256 key with these coordinates may sign intents of `owner`; closed
    /// when revoked.
    #[must_use]
    pub fn passkey(owner: Address, x: B256, y: B256) -> Self {
        let preimage = [b"sovr.passkey.v1", owner.as_slice(), x.as_slice(), y.as_slice()];
        let id = AccountId::registry_by_hash(CLASS_PASSKEY, keccak256(preimage.concat()));
        Self::plain(id, LedgerId::CONTROL, CODE_REGISTRY_PASSKEY, Side::Free).of(owner)
    }

    fn of(self, address: Address) -> Self {
        let bytes = address.as_slice();
        Self {
            user_data_128: be_u128(bytes),
            user_data_32: be_u32(bytes.get(16..).unwrap_or_default()),
            ..self
        }
    }

    fn with_value(self, value: &[u8]) -> Self {
        Self {
            user_data_128: be_u128(value),
            user_data_64: be_u64(value.get(16..).unwrap_or_default()),
            user_data_32: be_u32(value.get(24..).unwrap_or_default()),
            ..self
        }
    }
}

fn listing_hash(chain_id: u64, listing: &Listing) -> B256 {
    let mut bytes = Vec::with_capacity(82);
    bytes.extend_from_slice(b"sovr.ledger.v1");
    bytes.extend_from_slice(&[0; 24]);
    bytes.extend_from_slice(&chain_id.to_be_bytes());
    bytes.extend_from_slice(listing.token.as_slice());
    bytes.extend_from_slice(&listing.divisor.get().to_be_bytes());
    keccak256(&bytes)
}

/// Accounts that must exist before anything else: the instance's registry entry first, then gates'
/// counterpart and the specification's chart on the clearing ledger.
#[must_use]
pub fn foundation(identity: &Identity, instance: Instance, clearing: LedgerId) -> Vec<NewAccount> {
    let mut accounts = vec![
        NewAccount::instance_registry(identity.key(), instance),
        NewAccount::chart(LedgerId::CONTROL, GATE_OPERATOR),
    ];
    accounts.extend(CLEARING_CHART.map(|entry| NewAccount::chart(clearing, entry)));
    accounts
}

/// Accounts a listing needs: its registry entry first, then the ledger's chart.
#[must_use]
pub fn of_listing(
    listing: &Listing,
    instance: Instance,
    chain_id: u64,
    vault: Address,
) -> Vec<NewAccount> {
    let chart = |entry| NewAccount::chart(listing.ledger, entry);
    vec![
        NewAccount::ledger_registry(chain_id, listing),
        NewAccount::vault(listing.ledger, instance, chain_id, vault),
        chart(SUSPENSE),
        chart(FEES),
        chart(LOSS),
    ]
}
