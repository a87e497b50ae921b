//! The single owner of the core: one thread that takes facts in, in order, and hands orders out.

use crate::{exit::Failure, metrics::Metrics, store::SledStore};
use bridge_core::{
    block::Millis,
    bridge::Bridge,
    command::{ChainCommand, LedgerCommand, Notice, PayoutCommand},
    driver::{Driver, Ports},
    event::Event,
    status::Summary,
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info, warn};

/// Facts that may wait for the engine; adapters wait beyond that.
const INBOX_FACTS: usize = 1_024;
/// Orders that may wait for an adapter. The core keeps far fewer under way.
const OUTBOX_ORDERS: usize = 4_096;
/// Resolution of the core's timers.
const TICK: Duration = Duration::from_millis(20);

type Question = Box<dyn FnOnce(&Bridge) + Send>;

/// What the engine's thread takes in.
enum Input {
    Fact(Box<Event>),
    Question(Question),
    Stop,
}

/// The way in: facts for the core, and questions to it.
#[derive(Clone, Debug)]
pub struct Inbox(mpsc::Sender<Input>);

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fact(event) => f.debug_tuple("Fact").field(event).finish(),
            Self::Question(_) => f.write_str("Question"),
            Self::Stop => f.write_str("Stop"),
        }
    }
}

impl Inbox {
    /// Brings a fact; waits while the engine is behind. Lost only when the engine is gone.
    pub async fn send(&self, event: Event) {
        let _gone = self.0.send(Input::Fact(Box::new(event))).await;
    }

    /// Asks the core something between two steps; `None` when the engine is gone.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Bridge) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let question: Question = Box::new(move |bridge| {
            let _not_waited_for = answer.send(question(bridge));
        });
        self.0.send(Input::Question(question)).await.ok()?;
        answered.await.ok()
    }

    /// Asks the engine to stop after what it does now.
    pub async fn stop(&self) {
        let _gone = self.0.send(Input::Stop).await;
    }
}

/// The ways out to the adapters.
#[derive(Debug)]
pub struct Outboxes {
    /// To the chain adapter.
    pub chain: mpsc::Sender<ChainCommand>,
    /// To the ledger adapter.
    pub ledger: mpsc::Sender<LedgerCommand>,
    /// To the payout adapter.
    pub payout: mpsc::Sender<PayoutCommand>,
}

/// The adapters' ends of [`Outboxes`].
#[derive(Debug)]
pub struct Orders {
    /// For the chain adapter.
    pub chain: mpsc::Receiver<ChainCommand>,
    /// For the ledger adapter.
    pub ledger: mpsc::Receiver<LedgerCommand>,
    /// For the payout adapter.
    pub payout: mpsc::Receiver<PayoutCommand>,
}

/// The engine before it runs.
#[derive(Debug)]
pub struct Engine {
    driver: Driver<SledStore>,
    inbox: mpsc::Receiver<Input>,
    outboxes: Outboxes,
    summary: watch::Sender<Arc<Summary>>,
    metrics: Arc<Metrics>,
    failed: Option<&'static str>,
}

/// Everything that talks to the engine.
#[derive(Debug)]
pub struct Handles {
    /// The way in.
    pub inbox: Inbox,
    /// The adapters' orders.
    pub orders: Orders,
    /// The newest summary.
    pub summary: watch::Receiver<Arc<Summary>>,
}

impl Engine {
    /// An engine and the handles to it.
    #[must_use]
    pub fn new(bridge: Bridge, store: SledStore, metrics: Arc<Metrics>) -> (Self, Handles) {
        let (facts, inbox) = mpsc::channel(INBOX_FACTS);
        let (chain, chain_orders) = mpsc::channel(OUTBOX_ORDERS);
        let (ledger, ledger_orders) = mpsc::channel(OUTBOX_ORDERS);
        let (payout, payout_orders) = mpsc::channel(OUTBOX_ORDERS);
        let (summary, watched) = watch::channel(Arc::new(bridge.summary()));
        let outboxes = Outboxes { chain, ledger, payout };
        let driver = Driver::new(bridge, store);
        let engine = Self { driver, inbox, outboxes, summary, metrics, failed: None };
        let orders = Orders { chain: chain_orders, ledger: ledger_orders, payout: payout_orders };
        (engine, Handles { inbox: Inbox(facts), orders, summary: watched })
    }

    /// Runs until asked to stop; on its own thread, since the store blocks.
    ///
    /// # Errors
    /// If the store fails, or an adapter is gone: the process must end.
    pub fn run(mut self) -> Result<(), Failure> {
        self.step(Event::Tick)?;
        while let Some(input) = self.inbox.blocking_recv() {
            match input {
                Input::Fact(event) => self.step(*event)?,
                Input::Question(question) => question(self.driver.bridge()),
                Input::Stop => {
                    self.step(Event::Stop)?;
                    break;
                }
            }
        }
        info!("engine stopped; everything acknowledged is on disk");
        Ok(())
    }

    fn step(&mut self, event: Event) -> Result<(), Failure> {
        let mut ports = AdapterPorts {
            outboxes: &self.outboxes,
            metrics: &self.metrics,
            failed: &mut self.failed,
        };
        self.driver.step(event, now(), &mut ports).map_err(|e| {
            Failure::transient(format!(
                "the store cannot be written any more: {e}; mend the disk, then start again \
                 (nothing is lost: the ledger and the chain hold everything)"
            ))
        })?;
        if let Some(adapter) = self.failed {
            return Err(Failure::bug(format!("the {adapter} adapter stopped or fell behind")));
        }
        let summary = self.driver.bridge().summary();
        self.metrics.observe(&summary);
        self.summary.send_replace(Arc::new(summary));
        Ok(())
    }
}

/// Sends the core a tick now and then, for its timers.
pub async fn tick(inbox: Inbox) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        interval.tick().await;
        if inbox.0.is_closed() {
            return;
        }
        // An engine that has work needs no tick.
        let _full = inbox.0.try_send(Input::Fact(Box::new(Event::Tick)));
    }
}

/// The engine's one clock.
#[must_use]
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

struct AdapterPorts<'a> {
    outboxes: &'a Outboxes,
    metrics: &'a Metrics,
    failed: &'a mut Option<&'static str>,
}

impl Ports for AdapterPorts<'_> {
    fn chain(&mut self, command: ChainCommand) {
        if self.outboxes.chain.try_send(command).is_err() {
            *self.failed = Some("chain");
        }
    }

    fn ledger(&mut self, command: LedgerCommand) {
        if self.outboxes.ledger.try_send(command).is_err() {
            *self.failed = Some("ledger");
        }
    }

    fn payout(&mut self, command: PayoutCommand) {
        if self.outboxes.payout.try_send(command).is_err() {
            *self.failed = Some("payout");
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.metrics.count(&notice);
        tell(&notice);
    }
}

fn tell(notice: &Notice) {
    match notice {
        Notice::DepositsPosted { count, last } => info!(count, %last, "deposits posted"),
        Notice::DepositReincluded { seq } => {
            warn!(%seq, "a posted deposit is in another block or transaction now; look at the chain");
        }
        Notice::WithdrawalReserved { seq } => info!(%seq, "withdrawal reserved"),
        Notice::WithdrawalRefused { seq, reason } => {
            info!(%seq, reason = reason.sentence(), "withdrawal refused by the ledger");
        }
        Notice::WithdrawalSettled { seq, outcome } => {
            info!(%seq, ?outcome, "withdrawal settled in the ledger");
        }
        Notice::IntentFound { seq } => {
            warn!(%seq, "set aside for a gasless withdrawal whose text is lost; its owner can send it again");
        }
        Notice::Submitted { seq, nonce } => info!(%seq, nonce, "transaction sent"),
        Notice::NonceFilled { nonce } => warn!(nonce, "nobody used this nonce: filled"),
        Notice::TransactionLost { seq, nonce } => {
            warn!(%seq, nonce, "the nonce was used and nothing came of it; trying again");
        }
        Notice::PayoutHeld { seq, obstacle } => {
            info!(%seq, reason = obstacle.sentence(), "nothing sent; trying again later");
        }
        Notice::SubmitterChanged { dropped } => {
            warn!(dropped, "another key sends now; what the old one had under way starts anew");
        }
        Notice::SubmitterLow { balance } => {
            warn!(wei = balance, "the submitter's gas money runs low; send it ether");
        }
        Notice::SubmitterFilled { balance } => {
            info!(wei = balance, "the submitter has enough gas money again");
        }
        Notice::LedgerBlocked { ledger } => {
            error!(%ledger, "this ledger cannot be served and waits; mend the cause and restart");
        }
        Notice::ReservesBroken(broken) => {
            error!(%broken, "RESERVES: nothing is signed for this token until they add up again");
        }
        Notice::ReservesMended { ledger } => info!(%ledger, "reserves add up again"),
        Notice::Rereading(evidence) => {
            error!(%evidence, "REORG PAST FINALITY: the whole history is read again");
        }
        Notice::EndpointSetAside { endpoint, reason } => {
            warn!(%endpoint, %reason, "an endpoint is set aside");
        }
        Notice::EndpointBack { endpoint } => info!(%endpoint, "an endpoint is back"),
        Notice::Suspect(evidence) => warn!(%evidence, "the node contradicts itself; reading again"),
        Notice::Halted(evidence) => {
            error!(%evidence, "HALTED: nothing is written or signed any more; reads go on");
        }
    }
}
