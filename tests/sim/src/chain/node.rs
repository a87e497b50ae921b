//! What nodes answer. An answer may be put together from several reads, each of another node.

use super::{Branch, Chain};
use crate::rng::Rng;
use alloy_primitives::B256;
use bridge_core::{
    block::{BlockNumber, BlockRef, Seq, UnixSeconds},
    command::RangeRequest,
    event::{ContractState, Head, Range, SubmitterAccount},
};
use std::collections::BTreeMap;

/// Two nodes behind one address, each with the branch it believes in.
#[derive(Debug)]
pub struct Nodes {
    /// What each sees.
    pub branches: [Branch; 2],
    /// True while reads go to either; else all go to the first.
    pub mixed: bool,
}

impl Nodes {
    /// Both see the canonical branch.
    #[must_use]
    pub fn new(chain: &Chain) -> Self {
        Self { branches: [chain.main.clone(), chain.main.clone()], mixed: false }
    }

    fn pick(&self, rng: &mut Rng) -> &Branch {
        let second = rng.per_mille(500);
        &self.branches[usize::from(self.mixed && second)]
    }

    /// A poll; `None` where a node lacks what another spoke of.
    #[must_use]
    pub fn poll(&self, chain: &Chain, rng: &mut Rng, anchor: BlockNumber) -> Option<Head> {
        let read = |branch: &Branch, number: u64| {
            branch.get(usize::try_from(number).ok()?).map(|i| &chain.blocks[*i as usize])
        };
        let latest = self.pick(rng);
        let latest_number = latest.len() as u64 - 1;
        let newest = read(latest, latest_number)?;
        let final_number = (latest_number + 1).checked_sub(chain.confirmations)?;
        let final_block = read(self.pick(rng), final_number)?;
        // The adapter reads the headers in between too: they must link up to the newest.
        let own = read(latest, final_number)?;
        if own.header.block.hash != final_block.header.block.hash {
            return None;
        }
        let anchor = read(self.pick(rng), anchor.0).map(|b| (anchor, b.header.block.hash));
        let nonces = self.pick(rng);
        let latest_nonce = read(nonces, nonces.len() as u64 - 1)?.state.submitter_nonce;
        let mut pending_nonce = latest_nonce;
        while chain.submitter_pool.contains_key(&pending_nonce) {
            pending_nonce += 1;
        }
        Some(Head {
            genesis: chain.blocks[chain.main[0] as usize].header.block.hash,
            latest: BlockNumber(latest_number),
            final_head: final_block.header,
            last_seq: Seq(final_block.state.last_seq),
            anchor,
            base_fee: newest.base_fee,
            tip: 0,
            payouts_paused_until: UnixSeconds(newest.state.paused_until),
            submitter: Some(SubmitterAccount {
                final_nonce: final_block.state.submitter_nonce,
                latest_nonce,
                pending_nonce,
                balance: 1 << 80,
            }),
        })
    }

    /// A range; `None` where a node lacks a block. Logs of blocks that a node lacks are missing
    /// without an error, as with real nodes.
    #[must_use]
    pub fn range(&self, chain: &Chain, rng: &mut Rng, request: RangeRequest) -> Option<Range> {
        let RangeRequest { from, to, all_headers, .. } = request;
        let mut headers = BTreeMap::new();
        let step = if all_headers { 1 } else { (to.0 - from.0).max(1) };
        let mut number = from.0;
        while number <= to.0 {
            let branch = self.pick(rng);
            let index = *branch.get(usize::try_from(number).ok()?)?;
            headers.insert(BlockNumber(number), chain.blocks[index as usize].header);
            number += step;
        }
        // One batch of calls reads the logs and the head: one node answers it.
        let branch = self.pick(rng);
        let final_here = BlockNumber((branch.len() as u64).checked_sub(chain.confirmations)?);
        let blocks = (from.0..=to.0).filter_map(|n| branch.get(usize::try_from(n).ok()?));
        let logs = blocks.flat_map(|i| chain.blocks[*i as usize].logs.iter().copied()).collect();
        Some(Range { request, final_here, headers, logs })
    }

    /// The state of a withdrawal at a block, by hash; `None` where the node lacks it.
    #[must_use]
    pub fn state(
        &self,
        chain: &Chain,
        rng: &mut Rng,
        id: B256,
        block: BlockRef,
    ) -> Option<ContractState> {
        let branch = self.pick(rng);
        let index = *branch.get(usize::try_from(block.number.0).ok()?)?;
        let found = &chain.blocks[index as usize];
        (found.header.block.hash == block.hash).then(|| found.state.state_of(id))
    }
}
