//! The vault contract as a model: the rules of `contracts/src/Vault.sol` that events and states
//! depend on. Signatures are a set of what the signers' quorum has signed.

use crate::orders::is_signed;
use alloy_primitives::{Address, B256, U256};
use bridge_core::{
    amount::TokenAmount,
    asset::Listing,
    block::{Seq, UnixSeconds},
    eip712::Domain,
    event::ContractState,
    gasless::Intent,
    obstacle::Obstacle,
    vault_event::{
        Deposit, Origin, Outcome, Payment, Progress, Request, SpentNonce, VaultEvent, Window,
        WithdrawalEvent,
    },
};
use std::ops::Range;

/// Shortest time between a request's block and its deadline, seconds.
pub const MIN_DEADLINE: u64 = 20;
/// Longest such time, seconds.
pub const MAX_DEADLINE: u64 = 240;
/// Open requests of one owner.
pub const MAX_OPEN: usize = 4;
/// How long a queued payout can be finalized, seconds.
pub const QUEUE_PERIOD: u64 = 60;
/// How long it waits before, seconds.
pub const QUEUE_WINDOW: u64 = 30;

/// What a transaction asks of the contract; tokens by their place in [`Vault::listings`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of the contract's own calls")]
pub enum Call {
    /// Somebody deposits for an owner.
    Deposit { token: usize, owner: Address, amount: u128 },
    /// An owner asks for a withdrawal, with a deadline so many seconds after the block.
    Request { token: usize, owner: Address, to: Address, amount: u128, seconds: u64 },
    /// A payout with signatures over this id by a quorum of one signer set.
    Payout { id: B256, signers: u8 },
    /// A payout of an owner's signed order, with signatures over its id.
    PayOrder { intent: Intent, signers: u8 },
    /// A refusal with signatures over this id by a quorum of one signer set.
    Refuse { id: B256, signers: u8 },
    /// The pauser stops payouts for so many seconds; 0 lifts the pause.
    Pause { seconds: u64 },
    /// The admin replaces all payout signers.
    Rotate,
    /// Anybody ends a request after its deadline, or a queued payout after its period.
    Cancel { id: B256 },
    /// Anybody finishes a queued payout.
    Finalize { id: B256 },
    /// The guardian vetoes a queued payout.
    Veto { id: B256 },
    /// An owner takes what was deferred.
    Claim { token: usize, owner: Address },
    /// The admin lists a token.
    List { token: usize },
    /// The admin stops deposits of a token.
    Delist { token: usize },
    /// An owner spoils a nonce of orders.
    InvalidateNonce { owner: Address, nonce: U256 },
    /// Nothing for the vault.
    Nothing,
}

/// What the contract keeps of one withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// What was asked for.
    pub request: Request,
    /// Its number.
    pub seq: Seq,
    /// Where it stands.
    pub state: State,
    /// What is owed besides; of orders alone.
    pub fee: TokenAmount,
    /// The owner's; of orders alone.
    pub nonce: U256,
}

/// `IVaultTypes.State`, with the window of a queued payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the contract's own names")]
pub enum State {
    Requested,
    Queued(Window),
    Paid,
    Deferred,
    Refused,
    Cancelled,
}

/// The storage of the contract after some block.
#[derive(Clone, Debug, Default)]
pub struct Vault {
    /// Counter of ledger-relevant events.
    pub last_seq: u64,
    /// By token: what the contract accounts for.
    pub accounted: Vec<u128>,
    /// By token: what owners can claim.
    pub claimable: Vec<Vec<(Address, u128)>>,
    /// By token: listed, and open for deposits.
    pub listed: Vec<Option<bool>>,
    /// All withdrawals, in the order of their requests.
    pub slots: Vec<Slot>,
    /// Nonces that no order of their owner can use any more.
    pub spent: Vec<(Address, U256)>,
    /// Next nonce of the submitter's key.
    pub submitter_nonce: u64,
    /// Nothing is paid before this time.
    pub paused_until: u64,
    /// Which signer set the vault knows.
    pub signers: u8,
}

/// What does not change with the chain.
#[derive(Debug)]
pub struct Rules {
    /// Signing domain.
    pub domain: Domain,
    /// Tokens that can be listed.
    pub tokens: Vec<Listing>,
    /// Recipients whose pushes fail.
    pub failing: Vec<Address>,
    /// Payouts from this many ledger units on wait in the queue.
    pub queue_from: u128,
    /// Blocks in which every token lacks one unit of what the vault counts on, as if it took a fee.
    pub short: Range<u64>,
}

impl Vault {
    /// Before the first block of the vault.
    #[must_use]
    pub fn new(tokens: usize) -> Self {
        Self {
            accounted: vec![0; tokens],
            claimable: vec![Vec::new(); tokens],
            listed: vec![None; tokens],
            ..Self::default()
        }
    }

    /// A withdrawal by its id.
    #[must_use]
    pub fn slot(&self, id: B256) -> Option<&Slot> {
        self.slots.iter().rev().find(|s| s.request.id == id)
    }

    /// What `stateOf` answers.
    #[must_use]
    pub fn state_of(&self, id: B256) -> ContractState {
        match self.slot(id).map(|s| s.state) {
            None => ContractState::None,
            Some(State::Requested) => ContractState::Requested,
            Some(State::Queued(_)) => ContractState::Queued,
            Some(State::Paid | State::Deferred) => ContractState::PaidOrDeferred,
            Some(State::Refused | State::Cancelled) => ContractState::RefusedOrCancelled,
        }
    }

    /// Executes a call at a block's time; nothing if it reverts or concerns nobody's ledger.
    pub fn execute(&mut self, rules: &Rules, call: &Call, time: u64) -> Option<(Seq, VaultEvent)> {
        let event = match *call {
            Call::Deposit { token, owner, amount } => self.deposit(rules, token, owner, amount)?,
            Call::Request { token, owner, to, amount, seconds } => {
                let deadline = UnixSeconds(time + seconds);
                self.request(rules, token, (owner, to), amount, deadline)?
            }
            Call::Payout { id, signers } => {
                if signers != self.signers || time < self.paused_until {
                    return None;
                }
                self.payout(rules, id, time)?
            }
            Call::PayOrder { ref intent, signers } => {
                if signers != self.signers || time < self.paused_until {
                    return None;
                }
                self.pay_order(rules, intent, time)?
            }
            Call::Refuse { id, signers } => {
                if signers != self.signers {
                    return None;
                }
                self.end(id, State::Refused, |s| s == State::Requested)?
            }
            Call::Pause { seconds } => {
                self.paused_until = time + seconds;
                return None;
            }
            Call::Rotate => {
                self.signers = self.signers.wrapping_add(1);
                return None;
            }
            Call::Cancel { id } => self.cancel(id, time)?,
            Call::Finalize { id } => {
                if time < self.paused_until {
                    return None;
                }
                self.finalize(rules, id, time)?
            }
            Call::Veto { id } => self.end(id, State::Refused, |s| matches!(s, State::Queued(_)))?,
            Call::Claim { token, owner } => self.claim(token, owner)?,
            Call::List { token } => {
                let listed = self.listed[token].unwrap_or(false);
                if listed {
                    return None;
                }
                self.listed[token] = Some(true);
                VaultEvent::Listed(rules.tokens[token])
            }
            Call::Delist { token } => {
                self.listed[token].filter(|open| *open)?;
                self.listed[token] = Some(false);
                VaultEvent::Delisted(rules.tokens[token].ledger)
            }
            Call::InvalidateNonce { owner, nonce } => {
                if self.spent.contains(&(owner, nonce)) {
                    return None;
                }
                self.spent.push((owner, nonce));
                VaultEvent::NonceInvalidated(SpentNonce { owner, nonce })
            }
            Call::Nothing => return None,
        };
        self.last_seq += 1;
        Some((Seq(self.last_seq), event))
    }

    /// What a trial of the call says: why it would revert, in the contract's order of checks.
    #[must_use]
    #[allow(clippy::wildcard_enum_match_arm, reason = "of the other calls none needs signatures")]
    pub fn obstacle(&self, rules: &Rules, call: &Call, time: u64) -> Option<Obstacle> {
        if let Call::PayOrder { intent, signers } = call {
            return self.order_obstacle(rules, (intent, *signers), call, time);
        }
        let (id, signers, pays) = match *call {
            Call::Payout { id, signers } => (id, signers, true),
            Call::Refuse { id, signers } => (id, signers, false),
            Call::Finalize { id } => return self.finish_obstacle(rules, call, id, time),
            Call::Cancel { id } => return self.finish_obstacle(rules, call, id, time),
            _ => return None,
        };
        if pays && time < self.paused_until {
            return Some(Obstacle::PayoutsPaused);
        }
        if signers != self.signers {
            return Some(Obstacle::SignersChanged);
        }
        let Some(slot) = self.slot(id).filter(|s| s.state == State::Requested) else {
            return Some(Obstacle::AlreadyEnded);
        };
        if pays && time > slot.request.deadline.0 {
            return Some(Obstacle::DeadlinePassed);
        }
        let reverts = self.clone().execute(rules, call, time).is_none();
        reverts.then_some(Obstacle::VaultShort)
    }

    fn order_obstacle(
        &self,
        rules: &Rules,
        (intent, signers): (&Intent, u8),
        call: &Call,
        time: u64,
    ) -> Option<Obstacle> {
        if time < self.paused_until {
            return Some(Obstacle::PayoutsPaused);
        }
        if signers != self.signers {
            return Some(Obstacle::SignersChanged);
        }
        if self.slot(intent.id(&rules.domain)).is_some() {
            return Some(Obstacle::AlreadyEnded);
        }
        if time > intent.deadline.0 {
            return Some(Obstacle::DeadlinePassed);
        }
        let reverts = self.clone().execute(rules, call, time).is_none();
        reverts.then_some(Obstacle::Reverted)
    }

    /// Payable only as long as the vault has no state of it.
    fn pay_order(&mut self, rules: &Rules, intent: &Intent, time: u64) -> Option<VaultEvent> {
        let id = intent.id(&rules.domain);
        let spent = self.spent.contains(&(intent.owner, intent.nonce));
        let token = rules.token(intent.token)?;
        let divisor = rules.tokens[token].divisor;
        let whole = divisor.to_ledger(intent.amount).zip(divisor.to_ledger(intent.fee));
        let late = time > intent.deadline.0;
        if self.slot(id).is_some() || late || spent || !is_signed(intent) || whole.is_none() {
            return None;
        }
        self.listed[token]?;
        if self.accounted[token] < intent.amount.0 {
            return None;
        }
        let request = intent.request(id, rules.tokens[token].ledger);
        let (seq, state) = (Seq::of_intent(id), State::Requested);
        let slot = Slot { request, seq, state, fee: intent.fee, nonce: intent.nonce };
        self.slots.push(slot);
        if intent.amount.0 / divisor.get() >= rules.queue_from {
            let window = window_from(time);
            return self.step(id, State::Queued(window), Progress::Queued(window));
        }
        self.pay(rules, &slot, token)
    }

    fn finish_obstacle(&self, rules: &Rules, call: &Call, id: B256, time: u64) -> Option<Obstacle> {
        let pays = matches!(call, Call::Finalize { .. });
        if pays && time < self.paused_until {
            return Some(Obstacle::PayoutsPaused);
        }
        let Some(State::Queued(window)) = self.slot(id).map(|s| s.state) else {
            return Some(Obstacle::AlreadyEnded);
        };
        match (time < window.opens.0, time > window.expires.0) {
            (true, _) => Some(Obstacle::WindowOpen),
            (_, true) if pays => Some(Obstacle::QueueExpired),
            _ => {
                let reverts = self.clone().execute(rules, call, time).is_none();
                reverts.then_some(Obstacle::VaultShort)
            }
        }
    }

    fn deposit(
        &mut self,
        rules: &Rules,
        token: usize,
        owner: Address,
        amount: u128,
    ) -> Option<VaultEvent> {
        self.listed[token].filter(|open| *open)?;
        let Listing { token: address, ledger, divisor } = rules.tokens[token];
        if amount == 0 || !amount.is_multiple_of(divisor.get()) {
            return None;
        }
        self.accounted[token] += amount;
        let amount = TokenAmount(amount);
        Some(VaultEvent::Deposited(Deposit { token: address, owner, amount, ledger }))
    }

    fn request(
        &mut self,
        rules: &Rules,
        token: usize,
        (owner, to): (Address, Address),
        amount: u128,
        deadline: UnixSeconds,
    ) -> Option<VaultEvent> {
        self.listed[token]?;
        let Listing { token: address, ledger, divisor } = rules.tokens[token];
        let waits = |s: &&Slot| matches!(s.state, State::Requested | State::Queued(_));
        let open = self.slots.iter().filter(waits).filter(|s| s.request.owner == owner).count();
        if open >= MAX_OPEN || amount == 0 || !amount.is_multiple_of(divisor.get()) {
            return None;
        }
        let seq = Seq(self.last_seq + 1);
        let mut request = Request {
            id: B256::ZERO,
            owner,
            to,
            token: address,
            amount: TokenAmount(amount),
            deadline,
            ledger,
        };
        request.id = rules.domain.request_id(&request, seq.0);
        let (state, fee) = (State::Requested, TokenAmount(0));
        self.slots.push(Slot { request, seq, state, fee, nonce: U256::ZERO });
        Some(VaultEvent::Requested(request))
    }

    fn payout(&mut self, rules: &Rules, id: B256, time: u64) -> Option<VaultEvent> {
        let slot = *self.slot(id).filter(|s| s.state == State::Requested)?;
        if time > slot.request.deadline.0 {
            return None;
        }
        let token = rules.token(slot.request.token)?;
        if self.accounted[token] < slot.request.amount.0 {
            return None;
        }
        let units = slot.request.amount.0 / rules.tokens[token].divisor.get();
        if units >= rules.queue_from {
            let window = window_from(time);
            return self.step(id, State::Queued(window), Progress::Queued(window));
        }
        self.pay(rules, &slot, token)
    }

    fn finalize(&mut self, rules: &Rules, id: B256, time: u64) -> Option<VaultEvent> {
        let slot = *self.slot(id)?;
        let State::Queued(window) = slot.state else { return None };
        if time < window.opens.0 || time > window.expires.0 {
            return None;
        }
        let token = rules.token(slot.request.token)?;
        if self.accounted[token] < slot.request.amount.0 {
            return None;
        }
        self.pay(rules, &slot, token)
    }

    fn pay(&mut self, rules: &Rules, slot: &Slot, token: usize) -> Option<VaultEvent> {
        let Request { id, owner, to, amount, .. } = slot.request;
        self.accounted[token] -= amount.0;
        if rules.failing.contains(&to) {
            self.claimable[token].push((owner, amount.0));
            return self.step(id, State::Deferred, Progress::Ended(Outcome::Deferred));
        }
        self.step(id, State::Paid, Progress::Ended(Outcome::Paid))
    }

    fn cancel(&mut self, id: B256, time: u64) -> Option<VaultEvent> {
        let slot = *self.slot(id)?;
        let over = match slot.state {
            State::Requested => time > slot.request.deadline.0,
            State::Queued(window) => time > window.expires.0,
            State::Paid | State::Deferred | State::Refused | State::Cancelled => false,
        };
        over.then(|| self.step(id, State::Cancelled, Progress::Ended(Outcome::Cancelled)))?
    }

    fn end(&mut self, id: B256, to: State, from: impl Fn(State) -> bool) -> Option<VaultEvent> {
        self.slot(id).filter(|s| from(s.state))?;
        self.step(id, to, Progress::Ended(Outcome::Refused))
    }

    fn step(&mut self, id: B256, to: State, progress: Progress) -> Option<VaultEvent> {
        let slot = self.slots.iter_mut().rev().find(|s| s.request.id == id)?;
        slot.state = to;
        let nonce = slot.seq;
        let origin = if nonce.is_intent() { Origin::Intent } else { Origin::Request };
        let Request { owner, to, token, amount, .. } = slot.request;
        let payment = Some(Payment { owner, to, token, amount, fee: slot.fee, nonce: slot.nonce });
        let event = WithdrawalEvent { id, origin, nonce, progress, payment };
        Some(VaultEvent::Withdrawal(event))
    }

    fn claim(&mut self, token: usize, owner: Address) -> Option<VaultEvent> {
        let before = self.claimable[token].len();
        self.claimable[token].retain(|(of, _)| *of != owner);
        (self.claimable[token].len() < before).then_some(VaultEvent::Claimed)
    }
}

impl Rules {
    /// The index of a token's address.
    #[must_use]
    pub fn token(&self, address: Address) -> Option<usize> {
        self.tokens.iter().position(|l| l.token == address)
    }
}

/// When a payout that enters the queue now can be made.
const fn window_from(time: u64) -> Window {
    let opens = time + QUEUE_WINDOW;
    Window { opens: UnixSeconds(opens), expires: UnixSeconds(opens + QUEUE_PERIOD) }
}
