//! What a transfer carries besides its amount (`docs/encoding.md`, section 5).

use crate::{
    block::{Millis, UnixSeconds},
    id::{TransferId, be_u32, be_u64, be_u128},
    namespace::Line,
};
use alloy_primitives::{Address, B256};

/// The three fields of user data that every transfer has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserData {
    /// `user_data_128`.
    pub of_128: u128,
    /// `user_data_64`.
    pub of_64: u64,
    /// `user_data_32`.
    pub of_32: u32,
}

impl UserData {
    /// Main, gate and fee leg of the withdrawal `id`.
    #[must_use]
    pub fn withdrawal(id: B256, deadline: UnixSeconds) -> Self {
        Self {
            of_128: be_u128(tail(&id, 16)),
            of_64: deadline.0,
            of_32: be_u32(tail(&id, 14).get(..2).unwrap_or_default()),
        }
    }

    /// Every leg of the obligation intent `digest`.
    #[must_use]
    pub fn intent(digest: B256, expires_at: Millis, line: Line) -> Self {
        Self { of_128: be_u128(tail(&digest, 16)), of_64: expires_at.0, of_32: line.number() }
    }

    /// A line of `digest` honored by the agent with a chart number, 0 if it has an address.
    #[must_use]
    pub fn honored(digest: B256, line: Line, agent: u32) -> Self {
        Self { of_64: u64::from(agent), ..Self::intent(digest, Millis(0), line) }
    }

    /// A transfer that somebody approved by signing `approval`.
    #[must_use]
    pub fn approved(approval: B256) -> Self {
        Self {
            of_128: be_u128(approval.as_slice()),
            of_64: be_u64(tail(&approval, 16)),
            of_32: be_u32(tail(&approval, 24)),
        }
    }

    /// The `revision`-th change of what a limit account of `owner` holds at most.
    #[must_use]
    pub fn limit_funding(owner: Address, revision: u32) -> Self {
        let bytes = owner.as_slice();
        Self {
            of_128: be_u128(bytes),
            of_64: u64::from(revision),
            of_32: be_u32(bytes.get(16..).unwrap_or_default()),
        }
    }

    /// The whole id of a gasless withdrawal, read back from its main leg alone.
    #[must_use]
    pub fn gasless_withdrawal(self, main: TransferId) -> B256 {
        let mut id = B256::ZERO;
        let (head, rest) = id.split_at_mut(14);
        let (middle, last) = rest.split_at_mut(2);
        let [_, _, from_id @ ..] = main.0.to_be_bytes();
        let [_, _, from_32 @ ..] = self.of_32.to_be_bytes();
        head.copy_from_slice(&from_id);
        middle.copy_from_slice(&from_32);
        last.copy_from_slice(&self.of_128.to_be_bytes());
        id
    }
}

fn tail(hash: &B256, from: usize) -> &[u8] {
    hash.get(from..).unwrap_or_default()
}
