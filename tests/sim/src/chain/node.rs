//! What nodes answer. An answer may be put together from several reads, each of another node.

use super::{Branch, Chain};
use crate::rng::Rng;
use alloy_primitives::{Address, B256};
use bridge_core::{
    amount::TokenAmount,
    asset::LedgerId,
    block::{BlockNumber, BlockRef, Seq, UnixSeconds},
    command::RangeRequest,
    event::{ContractState, Head, Range, SubmitterAccount},
    invariant::Holdings,
    reserves::TokenReading,
    vault_event::{VaultEvent, VaultLog},
};
use std::collections::BTreeMap;

/// One endpoint: two nodes behind one address, each with the branch it believes in.
#[derive(Debug)]
pub struct Endpoint {
    /// What each sees.
    pub branches: [Branch; 2],
    /// True while reads go to either; else all go to the first.
    pub mixed: bool,
    /// True while it does not answer.
    pub is_down: bool,
    /// Most blocks it answers for at once.
    pub range_limit: u64,
    /// It tells of a deposit in this block that never was, and all that follows fits to it.
    pub invents_at: Option<u64>,
}

impl Endpoint {
    /// Both see the canonical branch.
    #[must_use]
    pub fn new(chain: &Chain) -> Self {
        let branches = [chain.main.clone(), chain.main.clone()];
        Self { branches, mixed: false, is_down: false, range_limit: u64::MAX, invents_at: None }
    }

    fn pick(&self, rng: &mut Rng) -> &Branch {
        let second = rng.per_mille(500);
        &self.branches[usize::from(self.mixed && second)]
    }

    /// A poll; `None` where a node lacks what another spoke of.
    #[must_use]
    pub fn poll(
        &self,
        chain: &Chain,
        rng: &mut Rng,
        anchor: BlockNumber,
        at: Option<BlockNumber>,
    ) -> Option<Head> {
        let read = |branch: &Branch, number: u64| {
            branch.get(usize::try_from(number).ok()?).map(|i| &chain.blocks[*i as usize])
        };
        let latest = self.pick(rng);
        let latest_number = latest.len() as u64 - 1;
        let newest = read(latest, latest_number)?;
        let newest_final = (latest_number + 1).checked_sub(chain.confirmations)?;
        let final_number = at.map_or(newest_final, |at| at.0);
        if final_number > newest_final {
            return None;
        }
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
            last_seq: Seq(
                final_block.state.last_seq + self.invented_before(chain, final_number + 1)
            ),
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
        let RangeRequest { from, to, .. } = request;
        // One batch of calls reads the logs and the head: one node answers it.
        let branch = self.pick(rng);
        let final_here = BlockNumber((branch.len() as u64).checked_sub(chain.confirmations)?);
        let blocks = (from.0..=to.0).filter_map(|n| branch.get(usize::try_from(n).ok()?));
        let mut logs: Vec<VaultLog> =
            blocks.flat_map(|i| chain.blocks[*i as usize].logs.iter().copied()).collect();
        self.invent(chain, branch, request, &mut logs);
        let mut headers = BTreeMap::new();
        for number in Range::wanted(&request, &logs) {
            let index = *self.pick(rng).get(usize::try_from(number.0).ok()?)?;
            headers.insert(number, chain.blocks[index as usize].header);
        }
        Some(Range { request, final_here, headers, logs })
    }

    /// What the contracts hold at a block, by hash; nothing where the node lacks it.
    #[must_use]
    pub fn holdings(
        &self,
        chain: &Chain,
        rng: &mut Rng,
        block: BlockRef,
        tokens: &[(LedgerId, Address)],
    ) -> Vec<TokenReading> {
        let branch = self.pick(rng);
        let index = usize::try_from(block.number.0).ok().and_then(|n| branch.get(n));
        let found = index.map(|i| &chain.blocks[*i as usize]);
        let Some(found) = found.filter(|b| b.header.block.hash == block.hash) else {
            return Vec::new();
        };
        let one = |(ledger, token): &(LedgerId, Address)| {
            let n = chain.rules.token(*token)?;
            let accounted = found.state.accounted[n];
            let claimable = found.state.claimable[n].iter().map(|(_, amount)| amount).sum();
            let amount = TokenAmount;
            let short = u128::from(chain.rules.short.contains(&block.number.0));
            let holdings = Holdings {
                accounted: amount(accounted),
                claimable: amount(claimable),
                balance: amount((accounted + claimable).saturating_sub(short)),
            };
            Some(TokenReading { ledger: *ledger, holdings })
        };
        tokens.iter().filter_map(one).collect()
    }

    /// Events that this endpoint invented before a block.
    fn invented_before(&self, chain: &Chain, number: u64) -> u64 {
        u64::from(self.invention(chain).is_some_and(|(at, _)| at < number))
    }

    /// The block of the invented deposit and the one it is copied from, which comes before it.
    fn invention(&self, chain: &Chain) -> Option<(u64, VaultLog)> {
        let at = self.invents_at?;
        let logs = chain.main.iter().flat_map(|i| &chain.blocks[*i as usize].logs);
        let before = logs.take_while(|log| log.block.number.0 < at);
        let deposits = before.filter(|log| matches!(log.event, VaultEvent::Deposited(_)));
        Some((at, *deposits.last()?))
    }

    fn invent(
        &self,
        chain: &Chain,
        branch: &Branch,
        request: RangeRequest,
        logs: &mut Vec<VaultLog>,
    ) {
        let Some((at, copied)) = self.invention(chain) else { return };
        let place = logs.partition_point(|log| log.block.number.0 <= at);
        logs[place..].iter_mut().for_each(|log| log.seq = log.seq.plus(1));
        let inside = (request.from.0..=request.to.0).contains(&at);
        let block = usize::try_from(at).ok().and_then(|at| branch.get(at));
        let Some(block) = block.map(|i| &chain.blocks[*i as usize]).filter(|_| inside) else {
            return;
        };
        let seq = Seq(block.state.last_seq + 1);
        let (tx_hash, log_index) = (block.header.block.hash, 9_999);
        logs.insert(
            place,
            VaultLog { block: block.header.block, seq, tx_hash, log_index, ..copied },
        );
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
