//! EIP-712 digests and Merkle roots of payout authorisations (`docs/encoding.md`, sections 6 and 7).

use crate::vault_event::{Origin, Request};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::{Eip712Domain, SolStruct, eip712_domain, sol};

sol! {
    #![sol(all_derives)]

    /// A withdrawal requested on chain; its signing hash is the id.
    struct WithdrawalRequest {
        address owner;
        address to;
        address token;
        uint128 amount;
        uint128 fee;
        uint256 nonce;
        uint64 deadline;
    }

    /// A gasless withdrawal, signed by its owner; its signing hash is the id.
    struct WithdrawalIntent {
        address owner;
        address to;
        address token;
        uint128 amount;
        uint128 fee;
        uint256 nonce;
        uint64 deadline;
    }

    /// What payout signers sign to pay.
    struct PayoutRoot {
        bytes32 root;
    }

    /// What payout signers sign to refuse.
    struct RefusalRoot {
        bytes32 root;
    }

    /// A payout in the Merkle tree.
    struct PayoutLeaf {
        uint8 kind;
        bytes32 id;
    }

    /// A refusal in the Merkle tree.
    struct RefusalLeaf {
        bytes32 id;
        uint8 reason;
    }
}

/// The vault's signing domain.
#[derive(Clone, Debug)]
pub struct Domain(Eip712Domain);

impl Domain {
    /// The domain of one vault on one chain.
    #[must_use]
    pub const fn new(chain_id: u64, vault: Address) -> Self {
        Self(eip712_domain! {
            name: "SOVR Vault",
            version: "1",
            chain_id: chain_id,
            verifying_contract: vault,
        })
    }

    /// The domain of obligation intents, their attestations and passkeys.
    #[must_use]
    pub const fn obligations(chain_id: u64, vault: Address) -> Self {
        Self(eip712_domain! {
            name: "SOVR Obligations",
            version: "1",
            chain_id: chain_id,
            verifying_contract: vault,
        })
    }

    /// The domain of operators' approvals.
    #[must_use]
    pub const fn operators(chain_id: u64, vault: Address) -> Self {
        Self(eip712_domain! {
            name: "SOVR Operators",
            version: "1",
            chain_id: chain_id,
            verifying_contract: vault,
        })
    }

    /// What a wallet signs for `message` in this domain.
    #[must_use]
    pub fn digest(&self, message: &impl SolStruct) -> B256 {
        message.eip712_signing_hash(&self.0)
    }

    /// The domain separator.
    #[must_use]
    pub fn separator(&self) -> B256 {
        self.0.separator()
    }

    /// Id of a withdrawal requested on chain with event number `nonce`.
    #[must_use]
    pub fn request_id(&self, request: &Request, nonce: u64) -> B256 {
        let request = WithdrawalRequest {
            owner: request.owner,
            to: request.to,
            token: request.token,
            amount: request.amount.0,
            fee: 0,
            nonce: U256::from(nonce),
            deadline: request.deadline.0,
        };
        request.eip712_signing_hash(&self.0)
    }

    /// Id of a gasless withdrawal.
    #[must_use]
    pub fn intent_id(&self, intent: &WithdrawalIntent) -> B256 {
        intent.eip712_signing_hash(&self.0)
    }

    /// The digest that authorises all payouts under `root`.
    #[must_use]
    pub fn payout_digest(&self, root: B256) -> B256 {
        PayoutRoot { root }.eip712_signing_hash(&self.0)
    }

    /// The digest that authorises all refusals under `root`.
    #[must_use]
    pub fn refusal_digest(&self, root: B256) -> B256 {
        RefusalRoot { root }.eip712_signing_hash(&self.0)
    }
}

/// Merkle leaf of a payout.
#[must_use]
pub fn payout_leaf(origin: Origin, id: B256) -> B256 {
    let kind = match origin {
        Origin::Request => 0,
        Origin::Intent => 1,
    };
    PayoutLeaf { kind, id }.eip712_hash_struct()
}

/// Merkle leaf of a refusal.
#[must_use]
pub fn refusal_leaf(id: B256, reason: u8) -> B256 {
    RefusalLeaf { id, reason }.eip712_hash_struct()
}

/// Parent of two nodes; sorted, so that a proof needs no directions.
#[must_use]
pub fn merkle_parent(a: B256, b: B256) -> B256 {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    keccak256([low.as_slice(), high.as_slice()].concat())
}
