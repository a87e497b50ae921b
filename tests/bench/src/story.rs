//! A made-up chain: a listing and then deposits, evenly spread over blocks. Everything in it follows
//! from its number, so that any part can be told without keeping the rest.

use alloy::primitives::{Address, B256, U256};
use anyhow::{Context, Result};
use bridge_core::{
    amount::{ScaleDivisor, TokenAmount},
    asset::{ETHER, LedgerId, Listing},
    block::{BlockNumber, BlockRef, Header, Seq, UnixSeconds},
    command::RangeRequest,
    event::{Head, Range},
    id::Identity,
    vault_event::{Deposit, VaultEvent, VaultLog},
};

/// Who deposits.
pub(crate) const USERS: u64 = 10_000;
pub(crate) const LEDGER: LedgerId = LedgerId(1001);
pub(crate) const VAULT: Address = Address::repeat_byte(0xaa);
pub(crate) const CHAIN_ID: u64 = 31_337;
/// The vault is made in block 1, and its token listed there; deposits follow from here on.
const FIRST_BLOCK: u64 = 2;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Story {
    pub(crate) deposits: u64,
    /// Over so many blocks.
    pub(crate) blocks: u64,
}

impl Story {
    /// The newest block, which is final.
    pub(crate) const fn last(self) -> u64 {
        FIRST_BLOCK + self.blocks - 1
    }

    /// The number of the newest event.
    pub(crate) const fn last_seq(self) -> u64 {
        self.deposits + 1
    }

    pub(crate) fn identity(self, code_hash: B256) -> Identity {
        Identity {
            chain_id: CHAIN_ID,
            genesis: hash(0),
            vault: VAULT,
            code_hash,
            deploy_block_hash: hash(1),
        }
    }

    pub(crate) fn origin(self) -> BlockRef {
        BlockRef { number: BlockNumber(0), hash: hash(0) }
    }

    /// The first deposit in this block or later.
    const fn first_from(self, block: u64) -> u64 {
        let blocks_before = block.saturating_sub(FIRST_BLOCK);
        let deposit = (blocks_before as u128 * self.deposits as u128).div_ceil(self.blocks as u128);
        if deposit > self.deposits as u128 { self.deposits } else { deposit as u64 }
    }

    const fn block_of(self, deposit: u64) -> u64 {
        FIRST_BLOCK + (deposit as u128 * self.blocks as u128 / self.deposits as u128) as u64
    }

    /// The vault's events of some blocks.
    pub(crate) fn logs(self, from: u64, to: u64) -> Result<Vec<VaultLog>> {
        let divisor = ScaleDivisor::new(1).context("divisor")?;
        let listing = Listing { token: ETHER, ledger: LEDGER, divisor };
        let mut logs = Vec::new();
        if from < FIRST_BLOCK && to > 0 {
            logs.push(log(1, 0, 1, VaultEvent::Listed(listing)));
        }
        let (mut block, mut index) = (0, 0);
        for n in self.first_from(from)..self.first_from(to + 1) {
            index = if self.block_of(n) == block { index + 1 } else { 0 };
            block = self.block_of(n);
            logs.push(log(block, index, n + 2, VaultEvent::Deposited(deposit(n))));
        }
        Ok(logs)
    }

    pub(crate) fn head(self, anchor: BlockNumber) -> Head {
        Head {
            genesis: hash(0),
            latest: BlockNumber(self.last()),
            final_head: header(self.last()),
            last_seq: Seq(self.last_seq()),
            anchor: Some((anchor, hash(anchor.0))),
            base_fee: 0,
            tip: 0,
            payouts_paused_until: UnixSeconds(0),
            submitter: None,
        }
    }

    pub(crate) fn range(self, request: RangeRequest) -> Result<Range> {
        let logs = self.logs(request.from.0, request.to.0)?;
        let numbers = Range::wanted(&request, &logs).into_iter();
        let headers = numbers.map(|n| (n, header(n.0))).collect();
        Ok(Range { request, final_here: request.to, headers, logs })
    }
}

fn deposit(n: u64) -> Deposit {
    // Spread over the users without a pattern that the ledger's cache could like.
    let user = n.wrapping_mul(2_654_435_761) % USERS;
    let owner = Address::from_word(U256::from(user + 1).into());
    let amount = TokenAmount(u128::from(n % 1_000 + 1));
    Deposit { token: ETHER, owner, amount, ledger: LEDGER }
}

fn log(block: u64, log_index: u32, seq: u64, event: VaultEvent) -> VaultLog {
    VaultLog {
        emitter: VAULT,
        block: BlockRef { number: BlockNumber(block), hash: hash(block) },
        tx_hash: hash(seq.wrapping_add(1 << 40)),
        log_index,
        seq: Seq(seq),
        event,
    }
}

pub(crate) fn header(number: u64) -> Header {
    Header {
        block: BlockRef { number: BlockNumber(number), hash: hash(number) },
        parent: hash(number.wrapping_sub(1)),
        timestamp: UnixSeconds(number),
    }
}

/// 32 bytes that look like a hash and cost next to nothing (the steps of splitmix64).
pub(crate) fn hash(number: u64) -> B256 {
    let mut state = number;
    let mut bytes = [0_u8; 32];
    for word in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes());
    }
    B256::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_put_together_are_the_whole_dense_or_sparse() {
        for (deposits, blocks) in [(1_000, 5), (7, 7), (5, 1_000), (999, 10)] {
            let story = Story { deposits, blocks };
            let whole = story.logs(0, story.last()).unwrap();
            assert_eq!(whole.len() as u64, deposits + 1);
            let seqs: Vec<u64> = whole.iter().map(|log| log.seq.0).collect();
            assert_eq!(seqs, (1..=deposits + 1).collect::<Vec<u64>>());
            let parts = (0..=story.last()).flat_map(|n| story.logs(n, n).unwrap());
            assert_eq!(parts.collect::<Vec<_>>(), whole);
            let place = |log: &VaultLog| (log.block.number, log.log_index);
            assert!(whole.is_sorted_by(|a, b| place(a) < place(b)));
        }
    }
}
