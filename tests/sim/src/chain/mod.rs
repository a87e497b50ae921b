//! Blocks, branches, the pool and the submitter's nonces.

pub mod node;
pub mod vault;

use crate::rng::{Rng, hash};
use alloy_primitives::{Address, B256};
use bridge_core::{
    block::{BlockNumber, BlockRef, Header, UnixSeconds},
    vault_event::VaultLog,
};
use std::{collections::BTreeMap, rc::Rc};
use vault::{Call, Rules, Vault};

/// A transaction; its number is its identity, whichever block it lands in.
#[derive(Clone, Debug)]
pub struct Tx {
    /// Hash.
    pub hash: B256,
    /// Nonce and offered fee, for the submitter's key; other senders' nonces do not matter here.
    pub submitter: Option<(u64, u128)>,
    /// What it does, one after the other.
    pub calls: Vec<Call>,
}

/// One block of some branch.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its header.
    pub header: Header,
    /// Logs of the vault.
    pub logs: Vec<VaultLog>,
    /// Transactions in it.
    pub txs: Vec<usize>,
    /// The contract after it.
    pub state: Rc<Vault>,
    /// Wei for one unit of gas.
    pub base_fee: u128,
}

/// A branch: blocks from height 0 on, as indexes into [`Chain::blocks`].
pub type Branch = Rc<Vec<u32>>;

/// The world's chain, with every branch that ever was.
#[derive(Debug)]
pub struct Chain {
    /// What does not change.
    pub rules: Rules,
    /// The vault's address.
    pub vault: Address,
    /// All blocks of all branches.
    pub blocks: Vec<Block>,
    /// The canonical branch.
    pub main: Branch,
    /// All transactions ever made.
    pub txs: Vec<Tx>,
    /// Those of users that wait for a block, oldest first.
    pub pool: Vec<usize>,
    /// Those of the submitter's key by nonce.
    pub submitter_pool: BTreeMap<u64, usize>,
    /// How deep a final block lies: `final = head − n + 1`.
    pub confirmations: u64,
    /// Base fee of the next blocks.
    pub base_fee: u128,
    salt: u64,
}

impl Chain {
    /// A chain of `empty` blocks; the vault begins after them.
    #[must_use]
    pub fn new(rules: Rules, vault: Address, confirmations: u64, empty: u64, salt: u64) -> Self {
        let state = Rc::new(Vault::new(rules.tokens.len()));
        let mut chain = Self {
            rules,
            vault,
            blocks: Vec::with_capacity(128),
            main: Rc::new(Vec::with_capacity(128)),
            txs: Vec::new(),
            pool: Vec::new(),
            submitter_pool: BTreeMap::new(),
            confirmations,
            base_fee: 100,
            salt,
        };
        for n in 0..empty {
            chain.append(state.clone(), Vec::new(), Vec::new(), 1_000 + 12 * n);
        }
        chain
    }

    /// The newest block.
    #[must_use]
    pub fn head(&self) -> &Block {
        &self.blocks[self.main[self.main.len() - 1] as usize]
    }

    /// The height of the newest block.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.main.len() as u64 - 1
    }

    /// The canonical block at a height.
    #[must_use]
    pub fn at(&self, number: u64) -> Option<&Block> {
        let index = *self.main.get(usize::try_from(number).ok()?)?;
        self.blocks.get(index as usize)
    }

    /// The height of the newest final block, by the canonical branch as it is now.
    #[must_use]
    pub fn final_height(&self) -> u64 {
        (self.height() + 1).saturating_sub(self.confirmations)
    }

    /// Adds a transaction and returns its number.
    pub fn make(&mut self, submitter: Option<(u64, u128)>, calls: Vec<Call>) -> usize {
        let tx = self.txs.len();
        let hash = hash(self.salt, tx as u64);
        self.txs.push(Tx { hash, submitter, calls });
        tx
    }

    /// Sends a user's transaction.
    pub fn send(&mut self, call: Call) {
        let tx = self.make(None, vec![call]);
        self.pool.push(tx);
    }

    /// Sends one of the submitter's; the pool keeps the better offer for a nonce.
    pub fn send_submitter(&mut self, tx: usize) {
        let Some((nonce, fee)) = self.txs[tx].submitter else { return };
        if nonce < self.head().state.submitter_nonce {
            return;
        }
        let better = self.submitter_pool.get(&nonce).is_none_or(|old| {
            self.txs[*old].submitter.is_none_or(|(_, offered)| fee >= offered + offered / 10)
        });
        if better {
            self.submitter_pool.insert(nonce, tx);
        }
    }

    /// Mines a block that takes up to `most` users' transactions and those of the submitter's whose
    /// turn and fee it is.
    pub fn mine(&mut self, seconds: u64, most: usize, rng: &mut Rng) {
        let time = self.head().header.timestamp.0 + seconds;
        let mut state = self.head().state.clone();
        let mut queue: Vec<usize> = self.pool.drain(..self.pool.len().min(most)).collect();
        let mut nonce = state.submitter_nonce;
        while let Some(tx) = self.submitter_pool.get(&nonce).copied() {
            if self.txs[tx].submitter.is_some_and(|(_, fee)| fee < self.base_fee) {
                break;
            }
            self.submitter_pool.remove(&nonce);
            queue.insert(rng.index(queue.len() + 1), tx);
            nonce += 1;
        }
        // One sender's transactions keep their order whatever else comes in between.
        let mut own: Vec<usize> =
            queue.iter().copied().filter(|tx| self.txs[*tx].submitter.is_some()).collect();
        own.sort_by_key(|tx| self.txs[*tx].submitter);
        let mut own = own.into_iter();
        for tx in &mut queue {
            if self.txs[*tx].submitter.is_some() {
                *tx = own.next().unwrap_or(*tx);
            }
        }
        let logs = self.execute(&mut state, &queue, time, rng);
        self.append(state, queue, logs, time);
    }

    fn execute(
        &self,
        state: &mut Rc<Vault>,
        queue: &[usize],
        time: u64,
        rng: &mut Rng,
    ) -> Vec<VaultLog> {
        let mut logs = Vec::new();
        let mut log_index = 0;
        let block = BlockRef { number: BlockNumber(self.height() + 1), hash: self.next_hash() };
        for tx in queue {
            let tx = &self.txs[*tx];
            let state = Rc::make_mut(state);
            if tx.submitter.is_some() {
                state.submitter_nonce += 1;
            }
            // Logs of others lie in between.
            log_index += u32::try_from(rng.below(3)).unwrap_or(0);
            for call in &tx.calls {
                if let Some((seq, event)) = state.execute(&self.rules, call, time) {
                    let (emitter, tx_hash) = (self.vault, tx.hash);
                    logs.push(VaultLog { emitter, block, tx_hash, log_index, seq, event });
                    log_index += 1;
                }
            }
        }
        logs
    }

    fn next_hash(&self) -> B256 {
        hash(self.salt ^ 0xb10c, self.blocks.len() as u64)
    }

    fn append(&mut self, state: Rc<Vault>, txs: Vec<usize>, logs: Vec<VaultLog>, time: u64) {
        let index = self.blocks.len();
        let number = BlockNumber(self.main.len() as u64);
        let block = BlockRef { number, hash: self.next_hash() };
        let parent =
            self.main.last().map_or(B256::ZERO, |i| self.blocks[*i as usize].header.block.hash);
        let header = Header { block, parent, timestamp: UnixSeconds(time) };
        let base_fee = self.base_fee;
        self.blocks.push(Block { header, logs, txs, state, base_fee });
        Rc::make_mut(&mut self.main).push(u32::try_from(index).unwrap_or(u32::MAX));
    }

    /// Takes back the newest `depth` blocks. Their transactions wait again, in any order; some are
    /// dropped for ever.
    pub fn reorg(&mut self, depth: usize, drop_per_mille: u64, rng: &mut Rng) {
        let main = Rc::make_mut(&mut self.main);
        let gone: Vec<u32> = main.split_off(main.len() - depth);
        let mut back = Vec::new();
        for block in gone {
            for tx in &self.blocks[block as usize].txs {
                match self.txs[*tx].submitter {
                    // The same key's transactions are all kept: a gap would stop all later ones,
                    // which is what `PoolDrop` is for.
                    Some((nonce, _)) => drop(self.submitter_pool.entry(nonce).or_insert(*tx)),
                    None if rng.per_mille(drop_per_mille) => {}
                    None => back.push(*tx),
                }
            }
        }
        if rng.per_mille(600) {
            rng.shuffle(&mut back);
        }
        back.append(&mut self.pool);
        self.pool = back;
    }
}
