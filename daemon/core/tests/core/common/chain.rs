//! A chain that is written down by hand, block by block.

use super::{ALICE, CHAIN_ID, VAULT};
use alloy_primitives::{Address, B256, U256, keccak256};
use bridge_core::{
    amount::{ScaleDivisor, TokenAmount},
    asset::{LedgerId, Listing},
    block::{BlockNumber, BlockRef, Header, Seq, UnixSeconds},
    command::RangeRequest,
    eip712::Domain,
    event::{Head, Range, SubmitterAccount},
    vault_event::{
        Deposit, Origin, Outcome, Payment, Progress, Request, VaultEvent, VaultLog, Window,
        WithdrawalEvent,
    },
};
use std::collections::BTreeMap;

/// A token with one ledger unit for each token unit.
pub(crate) const ETHX: Token = Token { ledger: LedgerId(1001), divisor: 1, byte: 0xe1 };
/// A token with 10,000 token units for each ledger unit, as USDC in cents.
pub(crate) const USDX: Token = Token { ledger: LedgerId(1002), divisor: 10_000, byte: 0xe2 };

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) ledger: LedgerId,
    pub(crate) divisor: u128,
    byte: u8,
}

impl Token {
    pub(crate) fn listing(self) -> Listing {
        let divisor = ScaleDivisor::new(self.divisor).unwrap();
        Listing { token: self.address(), ledger: self.ledger, divisor }
    }

    pub(crate) fn address(self) -> Address {
        Address::repeat_byte(self.byte)
    }
}

/// What happens in a block; amounts are ledger units.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening {
    Listed(Token),
    Deposit(Token, Address, u128),
    Request(Token, Address, u128),
    Queued(Seq),
    Ended(Seq, Outcome),
    /// Anything, also what no vault would emit.
    Odd(VaultEvent),
}

pub(crate) fn deposit(owner: Address, amount: u128) -> Happening {
    Happening::Deposit(USDX, owner, amount)
}

pub(crate) fn request(owner: Address, amount: u128) -> Happening {
    Happening::Request(USDX, owner, amount)
}

pub(crate) fn ended(seq: Seq, outcome: Outcome) -> Happening {
    Happening::Ended(seq, outcome)
}

/// An end that nobody asked for in the logs so far.
pub(crate) fn ended_unseen(seq: Seq, origin: Origin, outcome: Outcome) -> Happening {
    let progress = Progress::Ended(outcome);
    let id = keccak256(seq.0.to_be_bytes());
    let nonce = if origin == Origin::Intent { Seq::of_intent(id) } else { seq };
    let (owner, amount, fee) = (Address::repeat_byte(1), TokenAmount(1_000_000), TokenAmount(0));
    let payment = Some(Payment {
        owner,
        to: owner,
        token: USDX.address(),
        amount,
        fee,
        nonce: U256::from(seq.0),
    });
    let event = WithdrawalEvent { id, origin, nonce, progress, payment };
    Happening::Odd(VaultEvent::Withdrawal(event))
}

#[derive(Clone, Debug)]
struct Block {
    header: Header,
    logs: Vec<VaultLog>,
    last_seq: Seq,
}

/// The canonical chain; every block of it is final.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    blocks: Vec<Block>,
    requests: BTreeMap<Seq, Request>,
    /// The submitter's account.
    pub(crate) account: SubmitterAccount,
    /// Wei.
    pub(crate) base_fee: u128,
    pub(crate) tip: u128,
    pub(crate) payouts_paused_until: UnixSeconds,
    /// Seconds from now to the deadline of the next request.
    pub(crate) deadline_in: u64,
    /// Mixed into block hashes: another value, another history.
    pub(crate) salt: u8,
}

/// How long a large payout waits, and how long it can be made then.
pub(crate) const WINDOW_SECONDS: u64 = 600;
pub(crate) const QUEUE_SECONDS: u64 = 6_000;
/// Seconds between two blocks.
pub(crate) const BLOCK_SECONDS: u64 = 12;

impl Chain {
    pub(crate) fn new() -> Self {
        let mut chain = Self {
            blocks: Vec::new(),
            requests: BTreeMap::new(),
            account: SubmitterAccount { balance: 1 << 80, ..SubmitterAccount::default() },
            base_fee: 100,
            tip: 0,
            payouts_paused_until: UnixSeconds(0),
            deadline_in: 3600,
            salt: 0,
        };
        chain.mine(&[]);
        chain
    }

    pub(crate) fn tip(&self) -> Header {
        self.blocks.last().unwrap().header
    }

    /// What the vault accounts for, in token units.
    pub(crate) fn accounted(&self, ledger: LedgerId) -> u128 {
        let logs = self.blocks.iter().flat_map(|b| &b.logs);
        logs.fold(0, |sum, log| match &log.event {
            VaultEvent::Deposited(d) if d.ledger == ledger => sum + d.amount.0,
            VaultEvent::Withdrawal(w) => match (w.progress, self.requests.get(&w.nonce)) {
                (Progress::Ended(outcome), Some(r))
                    if outcome.is_payout() && r.ledger == ledger =>
                {
                    sum - r.amount.0
                }
                _ => sum,
            },
            _ => sum,
        })
    }

    pub(crate) fn origin(&self) -> BlockRef {
        self.blocks[0].header.block
    }

    pub(crate) fn last_seq(&self) -> Seq {
        self.blocks.last().map_or(Seq(0), |b| b.last_seq)
    }

    /// The request with this number.
    pub(crate) fn request(&self, seq: Seq) -> Request {
        self.requests[&seq]
    }

    /// One more block with these events, in this order; returns the number of the last.
    pub(crate) fn mine(&mut self, happenings: &[Happening]) -> Seq {
        let number = BlockNumber(self.blocks.len() as u64);
        let parent = self.blocks.last().map_or(B256::ZERO, |b| b.header.block.hash);
        let hash = keccak256([parent.as_slice(), &[self.salt]].concat());
        let timestamp = UnixSeconds(1_000_000 + number.0 * BLOCK_SECONDS);
        let header = Header { block: BlockRef { number, hash }, parent, timestamp };
        let mut seq = self.last_seq();
        let mut logs = Vec::new();
        for (index, happening) in (0..).zip(happenings) {
            seq = seq.plus(1);
            let event = self.event(*happening, seq, timestamp);
            let (emitter, block) = (VAULT, header.block);
            let tx_hash = keccak256([hash.as_slice(), &[index as u8]].concat());
            logs.push(VaultLog { emitter, block, tx_hash, log_index: index, seq, event });
        }
        self.blocks.push(Block { header, logs, last_seq: seq });
        seq
    }

    /// Empty blocks until this many seconds have passed.
    pub(crate) fn mine_seconds(&mut self, seconds: u64) {
        for _ in 0..seconds.div_ceil(BLOCK_SECONDS) {
            self.mine(&[]);
        }
    }

    /// Forgets the newest blocks; what is mined next is another history.
    pub(crate) fn rewind(&mut self, blocks: usize) {
        self.blocks.truncate(self.blocks.len() - blocks);
        self.salt += 1;
    }

    fn event(&mut self, happening: Happening, seq: Seq, time: UnixSeconds) -> VaultEvent {
        match happening {
            Happening::Listed(token) => VaultEvent::Listed(token.listing()),
            Happening::Deposit(token, owner, amount) => VaultEvent::Deposited(Deposit {
                token: token.address(),
                owner,
                amount: TokenAmount(amount * token.divisor),
                ledger: token.ledger,
            }),
            Happening::Request(token, owner, amount) => {
                let mut request = Request {
                    id: B256::ZERO,
                    owner,
                    to: ALICE,
                    token: token.address(),
                    amount: TokenAmount(amount * token.divisor),
                    deadline: time.plus(self.deadline_in),
                    ledger: token.ledger,
                };
                request.id = Domain::new(CHAIN_ID, VAULT).request_id(&request, seq.0);
                self.requests.insert(seq, request);
                VaultEvent::Requested(request)
            }
            Happening::Queued(seq) => {
                let opens = time.plus(WINDOW_SECONDS);
                let expires = opens.plus(QUEUE_SECONDS);
                self.progress(seq, Progress::Queued(Window { opens, expires }))
            }
            Happening::Ended(seq, outcome) => self.progress(seq, Progress::Ended(outcome)),
            Happening::Odd(event) => event,
        }
    }

    fn progress(&self, seq: Seq, progress: Progress) -> VaultEvent {
        let (id, origin) = (self.requests[&seq].id, Origin::Request);
        VaultEvent::Withdrawal(WithdrawalEvent { id, origin, nonce: seq, progress, payment: None })
    }

    /// What an honest, up-to-date node answers to a poll.
    pub(crate) fn head(&self, anchor: BlockNumber) -> Head {
        let anchor = self.blocks.get(anchor.0 as usize).map(|b| b.header.block);
        Head {
            genesis: self.origin().hash,
            latest: self.tip().block.number,
            final_head: self.tip(),
            last_seq: self.last_seq(),
            anchor: anchor.map(|b| (b.number, b.hash)),
            base_fee: self.base_fee,
            tip: self.tip,
            payouts_paused_until: self.payouts_paused_until,
            submitter: Some(self.account),
        }
    }

    /// The same about a lower block.
    pub(crate) fn head_at(&self, anchor: BlockNumber, at: BlockNumber) -> Head {
        let block = &self.blocks[at.0 as usize];
        Head { final_head: block.header, last_seq: block.last_seq, ..self.head(anchor) }
    }

    /// What an honest, up-to-date node answers to a range request.
    pub(crate) fn range(&self, request: RangeRequest) -> Range {
        let blocks = &self.blocks[request.from.0 as usize..=request.to.0 as usize];
        let logs: Vec<VaultLog> = blocks.iter().flat_map(|b| b.logs.iter().copied()).collect();
        let wanted = Range::wanted(&request, &logs);
        let headers = blocks.iter().map(|b| (b.header.block.number, b.header));
        Range {
            request,
            final_here: self.tip().block.number,
            headers: headers.filter(|(n, _)| wanted.contains(n)).collect(),
            logs,
        }
    }
}
