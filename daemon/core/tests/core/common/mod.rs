//! A story: a chain, a ledger, a store, a submitter's pool, and the core between them.
//!
//! Everything is answered honestly unless a test takes an order out ([`Story::run_until`]) and
//! answers it by hand. Two promises are checked at every step: a transaction is durable before it
//! is sent, and no checkpoint is ahead of the ledger.

mod chain;
mod ledger;

pub(crate) use chain::*;
pub(crate) use ledger::Ledger;

use alloy_primitives::{Address, B256, Bytes, keccak256};
use bridge_core::{
    amount::TokenAmount,
    asset::LedgerId,
    block::{Millis, Seq},
    bridge::{Bridge, CannotStart, Config},
    checkpoint::{Change, Checkpoint, Persisted},
    command::{
        Asked, Call, ChainCommand, Command, LedgerCommand, Notice, PayoutCommand, RangeRequest,
        TransactionPlan,
    },
    endpoint::{EndpointId, EndpointsConfig},
    event::{ContractState, Event, LedgerEvent, PayoutEvent, Signed},
    halt::Evidence,
    id::{Identity, Instance, Kind, TransferId},
    invariant::Holdings,
    obstacle::Obstacle,
    posting::WithdrawalIds,
    reserves::TokenReading,
    submitter::SubmitterConfig,
    transfer::NewTransfer,
    vault_event::{Outcome, VaultEvent},
    withdrawal::{Reservation, Verdict, Withdrawal},
};
use std::collections::{BTreeMap, VecDeque};

pub(crate) const CHAIN_ID: u64 = 31_337;
pub(crate) const VAULT: Address = Address::repeat_byte(0xaa);
pub(crate) const ALICE: Address = Address::repeat_byte(0x01);
pub(crate) const BOB: Address = Address::repeat_byte(0x02);

/// The only endpoint, where a story has just one.
pub(crate) const FIRST: EndpointId = EndpointId(0);
pub(crate) const POLL_MS: u64 = 1_000;
/// After so many polls nothing new comes.
const POLLS_MAX: usize = 3;
pub(crate) const CHECKPOINT_MS: u64 = 5_000;
pub(crate) const BACKOFF_MS: u64 = 2_000;
pub(crate) const BACKOFF_LONGEST_MS: u64 = 20_000;
pub(crate) const SUBMITTER: Address = Address::repeat_byte(0x5b);
pub(crate) const LOW_BALANCE: u128 = 1_000;
pub(crate) const GAS_LIMIT: u64 = 500_000;
pub(crate) const REBROADCAST_MS: u64 = 30_000;
pub(crate) const REPLACE_MS: u64 = 60_000;
pub(crate) const SUSPICIONS: u32 = 3;
pub(crate) const FEE_CAP: u128 = 1_000;

pub(crate) struct Story {
    pub(crate) bridge: Bridge,
    pub(crate) config: Config,
    pub(crate) now: Millis,
    pub(crate) chain: Chain,
    pub(crate) ledger: Ledger,
    /// What is on disk.
    pub(crate) store: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Orders that nobody has answered yet.
    pub(crate) orders: VecDeque<Command>,
    /// Every order ever given.
    pub(crate) said: Vec<Command>,
    pub(crate) notices: Vec<Notice>,
    /// What the contract says of a withdrawal; `Requested` where nothing is written here.
    pub(crate) states: BTreeMap<Seq, ContractState>,
    /// The submitter's transactions: the newest bytes for each nonce.
    pub(crate) pool: BTreeMap<u64, Bytes>,
    pub(crate) plans: BTreeMap<u64, TransactionPlan>,
    /// How often the core asked for payouts to be paused on chain.
    pub(crate) pauses: u32,
    /// Token units that left the vault without an event, by ledger.
    pub(crate) stolen: BTreeMap<LedgerId, u128>,
    /// True if signers sign what they are asked together under one root.
    pub(crate) batches: bool,
    /// True if the contract takes every payout for a large one.
    pub(crate) queues: bool,
}

impl Story {
    /// A vault with both tokens listed (numbers 1 and 2), a store and a ledger that are new.
    pub(crate) fn new() -> Self {
        let mut story = Self::unlisted();
        story.mine(&[Happening::Listed(ETHX), Happening::Listed(USDX)]);
        story.run();
        story
    }

    /// A vault where nothing has happened yet.
    pub(crate) fn unlisted() -> Self {
        let chain = Chain::new();
        let config = config(&chain);
        Self {
            bridge: Bridge::new(config.clone(), Persisted::default()).unwrap(),
            config,
            now: Millis(1_700_000_000_000),
            chain,
            ledger: Ledger::new(),
            store: BTreeMap::new(),
            orders: VecDeque::new(),
            said: Vec::new(),
            notices: Vec::new(),
            states: BTreeMap::new(),
            batches: false,
            queues: false,
            pool: BTreeMap::new(),
            plans: BTreeMap::new(),
            pauses: 0,
            stolen: BTreeMap::new(),
        }
    }

    pub(crate) fn instance(&self) -> Instance {
        self.config.identity.key().instance().unwrap()
    }

    pub(crate) fn mine(&mut self, happenings: &[Happening]) -> Seq {
        self.chain.mine(happenings)
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now = self.now.plus(ms);
    }

    /// Time for a poll passes; then everything is answered until there is nothing left to answer.
    pub(crate) fn run(&mut self) {
        self.pass(POLL_MS);
        self.apply(Event::Tick);
        self.answer_all();
    }

    /// Mines one block and lets everybody react to it.
    pub(crate) fn mine_and_run(&mut self, happenings: &[Happening]) -> Seq {
        let seq = self.mine(happenings);
        self.run();
        seq
    }

    pub(crate) fn answer_all(&mut self) {
        while let Some(order) = self.orders.pop_front() {
            self.answer(order);
        }
    }

    /// Runs until an order of this kind comes; takes it out unanswered.
    pub(crate) fn run_until<T>(&mut self, pick: impl Fn(&Command) -> Option<T>) -> T {
        for _ in 0..POLLS_MAX {
            self.pass(POLL_MS);
            self.apply(Event::Tick);
            if let Some(picked) = self.answer_until(&pick) {
                return picked;
            }
        }
        panic!("the order never came")
    }

    pub(crate) fn answer_until<T>(&mut self, pick: impl Fn(&Command) -> Option<T>) -> Option<T> {
        while let Some(order) = self.orders.pop_front() {
            match pick(&order) {
                Some(picked) => return Some(picked),
                None => self.answer(order),
            }
        }
        None
    }

    /// One step: what changes is durable before anything is done.
    pub(crate) fn apply(&mut self, event: Event) {
        let output = self.bridge.apply(event, self.now);
        if let Some(at) = output.changes.iter().position(|c| matches!(c, Change::Halt(_))) {
            let pause = |c: &Command| matches!(c, Command::Payout(PayoutCommand::Pause));
            assert!(output.commands.iter().all(pause), "after a halt: {:?}", output.commands);
            assert_eq!(output.changes.len(), at + 1, "after a halt: {:?}", output.changes);
        }
        for change in &output.changes {
            if let Change::Checkpoint(checkpoint) = change {
                self.check_checkpoint(checkpoint);
            }
            match change.to_write() {
                (key, Some(value)) => self.store.insert(key, value),
                (key, None) => self.store.remove(&key),
            };
        }
        for command in &output.commands {
            if let Command::Payout(PayoutCommand::Broadcast { nonce, raw }) = command {
                let durable = self.persisted().transactions;
                assert!(durable.iter().any(|t| t.nonce == *nonce && t.raw == *raw));
            }
        }
        self.said.extend(output.commands.iter().cloned());
        self.orders.extend(output.commands);
        self.notices.extend(output.notices);
    }

    /// Everything before the cursor of a checkpoint is in the ledger or in the store.
    fn check_checkpoint(&self, checkpoint: &Checkpoint) {
        let (from, to) = (self.chain.origin().number.plus(1), checkpoint.cursor.block.number);
        if to < from {
            return;
        }
        let request = RangeRequest { endpoint: FIRST, from, to, all_headers: false, attempt: 0 };
        for log in self.chain.range(request).logs {
            let id = |kind| TransferId::chain_event(self.instance(), kind, log.seq);
            let answered = match log.event {
                VaultEvent::Deposited(d) => {
                    checkpoint.blocked.contains_key(&d.ledger)
                        || self.ledger.get(id(Kind::Deposit)).is_some()
                }
                VaultEvent::Requested(r) => {
                    checkpoint.blocked.contains_key(&r.ledger)
                        || self.ledger.get(id(Kind::Main)).is_some()
                        || self
                            .bridge
                            .withdrawal(r.id)
                            .is_none_or(|w| matches!(w.reservation, Reservation::Refused(_)))
                }
                VaultEvent::Withdrawal(_)
                | VaultEvent::Listed(_)
                | VaultEvent::Delisted(_)
                | VaultEvent::Claimed
                | VaultEvent::NonceInvalidated(_) => true,
            };
            assert!(answered, "checkpoint {:?} is ahead of event {}", checkpoint.cursor, log.seq);
        }
    }

    pub(crate) fn answer(&mut self, order: Command) {
        let event = match order {
            Command::Chain(ChainCommand::Poll { endpoint, anchor, .. }) => {
                Event::Head { endpoint, head: self.chain.head(anchor) }
            }
            Command::Chain(ChainCommand::FetchRange(request)) => {
                Event::Range(self.chain.range(request))
            }
            Command::Chain(ChainCommand::ReadState { endpoint, seq, block, .. }) => {
                let state = self.states.get(&seq).copied().unwrap_or(ContractState::Requested);
                Event::State { endpoint, seq, block: block.number, state: Some(state) }
            }
            Command::Ledger(command) => Event::Ledger(self.ledger.execute(&command)),
            Command::Chain(ChainCommand::ReadHoldings { endpoint, block, tokens }) => {
                let (readings, fault) = (self.holdings(&tokens), None);
                Event::Holdings { endpoint, block, readings, fault }
            }
            Command::Payout(PayoutCommand::Pause) => {
                self.pauses += 1;
                return;
            }
            Command::Payout(PayoutCommand::Authorize(items)) => {
                self.sign(&items);
                return;
            }
            Command::Payout(PayoutCommand::Build(plan)) => Event::Payout(self.build(plan)),
            Command::Payout(PayoutCommand::Broadcast { nonce, raw }) => {
                self.pool.insert(nonce, raw);
                return;
            }
        };
        self.apply(event);
    }

    /// Signs each under a root of its own, or all under one where the story wants batches.
    fn sign(&mut self, items: &[Asked]) {
        let size = if self.batches { items.len() } else { 1 };
        for together in items.chunks(size) {
            let root = together.iter().map(|item| item.seq.0.to_string()).collect::<Vec<_>>();
            let signatures = vec![Bytes::from(root.join("+").into_bytes())];
            let signed = |item: &Asked| signed(item.seq, item.verdict);
            let items = together.iter().map(signed).collect();
            self.apply(Event::Payout(PayoutEvent::Authorized { items, signatures }));
        }
    }

    /// What the contracts hold at the newest block.
    pub(crate) fn holdings(&self, tokens: &[(LedgerId, Address)]) -> Vec<TokenReading> {
        let accounted = |ledger: LedgerId| self.chain.accounted(ledger);
        let reading = |(ledger, _): &(LedgerId, Address)| {
            let stolen = self.stolen.get(ledger).copied().unwrap_or_default();
            let amount = accounted(*ledger);
            let holdings = Holdings {
                accounted: TokenAmount(amount),
                claimable: TokenAmount(0),
                balance: TokenAmount(amount - stolen),
            };
            TokenReading { ledger: *ledger, holdings }
        };
        tokens.iter().map(reading).collect()
    }

    pub(crate) fn build(&mut self, plan: TransactionPlan) -> PayoutEvent {
        let nonce = plan.nonce;
        let raw = Bytes::from(format!("{plan:?}").into_bytes());
        self.plans.insert(nonce, plan);
        PayoutEvent::Built { nonce, hash: keccak256(&raw), raw, dropped: Vec::new() }
    }

    /// A block with what the submitter's pool does, in the order of nonces.
    pub(crate) fn mine_pool(&mut self) -> Seq {
        let mut happenings = Vec::new();
        while self.pool.remove(&self.chain.account.final_nonce).is_some() {
            let plan = &self.plans[&self.chain.account.final_nonce];
            match &plan.call {
                Call::Withdrawals(items) => {
                    happenings.extend(items.iter().map(|item| match item.authorization.verdict {
                        Verdict::Pay if self.queues => Happening::Queued(item.seq),
                        Verdict::Pay => ended(item.seq, Outcome::Paid),
                        Verdict::Refuse(_) => ended(item.seq, Outcome::Refused),
                    }));
                }
                Call::Finish(finishing) => {
                    let end = if finishing.pays { Outcome::Paid } else { Outcome::Cancelled };
                    happenings.push(ended(finishing.seq, end));
                }
                Call::Nothing => {}
            }
            self.use_nonce();
        }
        self.mine(&happenings)
    }

    /// One more nonce of the submitter is used, finally.
    pub(crate) fn use_nonce(&mut self) {
        let account = &mut self.chain.account;
        account.final_nonce += 1;
        account.latest_nonce = account.final_nonce;
        account.pending_nonce = account.pending_nonce.max(account.final_nonce);
    }

    pub(crate) fn persisted(&self) -> Persisted {
        let mut persisted = Persisted::default();
        for (key, value) in &self.store {
            persisted.read(key, value).unwrap();
        }
        persisted
    }

    /// The process dies and starts again on its store.
    pub(crate) fn restart(&mut self) {
        self.bridge = Bridge::new(self.config.clone(), self.persisted()).unwrap();
        self.orders.clear();
    }

    /// As [`Story::restart`], without its store.
    pub(crate) fn restart_with_nothing(&mut self) {
        self.store.clear();
        self.restart();
    }

    pub(crate) fn try_start(&self, config: Config) -> Result<Bridge, CannotStart> {
        Bridge::new(config, self.persisted())
    }

    pub(crate) fn withdrawal(&self, seq: Seq) -> Option<&Withdrawal> {
        self.bridge.withdrawals().find(|w| w.seq == seq)
    }

    pub(crate) fn ids(&self, seq: Seq) -> WithdrawalIds {
        WithdrawalIds::of(self.instance(), seq)
    }

    /// The post or void of a withdrawal in the ledger.
    pub(crate) fn resolution(&self, seq: Seq) -> Option<&NewTransfer> {
        self.ledger.get(self.ids(seq).resolve)
    }

    pub(crate) fn has_deposit(&self, seq: Seq) -> bool {
        let id = TransferId::chain_event(self.instance(), Kind::Deposit, seq);
        self.ledger.get(id).is_some()
    }

    /// Holds while nothing contradicts itself and everything final is taken in.
    pub(crate) fn assert_well(&self) {
        assert_eq!(self.bridge.halted(), None);
        assert!(self.bridge.is_up_to_date(), "{:?}", self.bridge.summary());
    }

    pub(crate) fn assert_halted(&self, is_it: impl Fn(Evidence) -> bool) {
        let evidence = self.bridge.halted().expect("it must halt");
        assert!(is_it(evidence), "{evidence:?}");
        let marker = self.persisted().halt.map(|m| m.evidence);
        assert_eq!(marker, Some(evidence), "a halt is durable");
    }

    /// Transfers of all `create_transfers` ordered since `said` had this length.
    pub(crate) fn transfers_said_since(&self, start: usize) -> Vec<NewTransfer> {
        self.said[start..].iter().filter_map(create_transfers).flat_map(|(_, t)| t).collect()
    }
}

fn config(chain: &Chain) -> Config {
    Config {
        identity: Identity {
            chain_id: CHAIN_ID,
            genesis: chain.origin().hash,
            vault: VAULT,
            code_hash: B256::repeat_byte(3),
            deploy_block_hash: B256::repeat_byte(4),
        },
        origin: chain.origin(),
        poll_interval_ms: POLL_MS,
        range_blocks_max: 1_000,
        range_events_max: 1_000,
        suspicions_max: SUSPICIONS,
        endpoints: EndpointsConfig::default(),
        batch_max: 8189,
        queue_max: 10_000,
        open_withdrawals_max: 10_000,
        checkpoint_interval_ms: CHECKPOINT_MS,
        work_backoff_ms: BACKOFF_MS,
        work_backoff_longest_ms: BACKOFF_LONGEST_MS,
        submitter: Some(SubmitterConfig {
            address: SUBMITTER,
            low_balance: LOW_BALANCE,
            in_flight_max: 4,
            gas_limit: GAS_LIMIT,
            priority_fee: 10,
            fee_cap: FEE_CAP,
            rebroadcast_ms: REBROADCAST_MS,
            replace_ms: REPLACE_MS,
        }),
        reserves: None,
        gasless: None,
        is_new: true,
        superseded: Vec::new(),
        pauser: false,
    }
}

/// Picks requests to the ledger.
pub(crate) fn ledger_command(command: &Command) -> Option<LedgerCommand> {
    if let Command::Ledger(command) = command { Some(command.clone()) } else { None }
}

/// Picks `create_transfers`.
pub(crate) fn create_transfers(
    command: &Command,
) -> Option<(bridge_core::command::RequestId, Vec<NewTransfer>)> {
    match ledger_command(command)? {
        LedgerCommand::CreateTransfers { request, transfers } => Some((request, transfers)),
        LedgerCommand::CreateAccounts { .. }
        | LedgerCommand::LookupTransfers { .. }
        | LedgerCommand::Recover { .. }
        | LedgerCommand::Survey { .. } => None,
    }
}

/// Picks lookups.
pub(crate) fn lookup(command: &Command) -> Option<LedgerCommand> {
    ledger_command(command).filter(|c| matches!(c, LedgerCommand::LookupTransfers { .. }))
}

/// Picks range requests.
pub(crate) fn fetch(command: &Command) -> Option<bridge_core::command::RangeRequest> {
    if let Command::Chain(ChainCommand::FetchRange(r)) = command { Some(*r) } else { None }
}

/// Picks polls.
pub(crate) fn poll(command: &Command) -> Option<bridge_core::block::BlockNumber> {
    if let Command::Chain(ChainCommand::Poll { anchor, .. }) = command {
        Some(*anchor)
    } else {
        None
    }
}

/// Picks state reads.
pub(crate) fn read_state(command: &Command) -> Option<(Seq, bridge_core::block::BlockRef)> {
    if let Command::Chain(ChainCommand::ReadState { seq, block, .. }) = command {
        Some((*seq, *block))
    } else {
        None
    }
}

/// What signers are asked about.
pub(crate) fn asked(command: &Command) -> Vec<(Seq, Verdict)> {
    if let Command::Payout(PayoutCommand::Authorize(items)) = command {
        items.iter().map(|item| (item.seq, item.verdict)).collect()
    } else {
        Vec::new()
    }
}

/// Picks questions to the signers, with their first withdrawal.
pub(crate) fn authorize(command: &Command) -> Option<(Seq, Verdict)> {
    asked(command).first().copied()
}

/// A transaction that could not be built, for one reason.
pub(crate) fn not_built(nonce: u64, obstacle: Obstacle) -> PayoutEvent {
    PayoutEvent::NotBuilt { nonce, obstacle, dropped: Vec::new() }
}

/// A withdrawal whose leaf is the root.
pub(crate) fn signed(seq: Seq, verdict: Verdict) -> Signed {
    Signed { seq, verdict, proof: Vec::new() }
}

/// Picks transactions to build.
pub(crate) fn build(command: &Command) -> Option<TransactionPlan> {
    if let Command::Payout(PayoutCommand::Build(plan)) = command {
        Some(plan.clone())
    } else {
        None
    }
}

/// A reply that got lost.
pub(crate) fn unknown(request: bridge_core::command::RequestId) -> Event {
    Event::Ledger(LedgerEvent::Unknown { request })
}
