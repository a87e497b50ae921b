//! All chance of a simulated world comes from here, and so from one seed.

use alloy_primitives::B256;

/// A seeded stream of numbers.
#[derive(Clone, Debug)]
pub struct Rng(fastrand::Rng);

impl Rng {
    /// The stream of a seed; `purpose` gives a seed several streams that do not disturb each other.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Self {
        Self(fastrand::Rng::with_seed(mix(seed ^ mix(purpose))))
    }

    /// A number below `n` (which is not zero).
    pub fn below(&mut self, n: u64) -> u64 {
        self.0.u64(..n)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.u64(low..=high)
    }

    /// True `n` times in a thousand.
    pub fn per_mille(&mut self, n: u64) -> bool {
        self.0.u64(..1000) < n
    }

    /// An index into something with `len` elements (which is not zero).
    pub fn index(&mut self, len: usize) -> usize {
        self.0.usize(..len)
    }

    /// One of the given.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.0.usize(..of.len())]
    }

    /// Any order is as likely as any other.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.u64(..)
    }
}

/// Spreads a number over all 64 bits (the finalizer of SplitMix64).
#[must_use]
pub const fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// A hash for blocks and transactions: unlike for unlike numbers, and cheap. Nothing in the core
/// checks how block and transaction hashes are made.
#[must_use]
pub fn hash(a: u64, b: u64) -> B256 {
    let mut bytes = [0; 32];
    let mut n = mix(a) ^ b.rotate_left(32);
    for chunk in bytes.chunks_exact_mut(8) {
        n = mix(n);
        chunk.copy_from_slice(&n.to_be_bytes());
    }
    B256::from(bytes)
}
