//! Prometheus metrics. Label values are few and fixed.

use crate::progress::Report;
use bridge_core::{
    command::Notice,
    obstacle::Obstacle,
    reserves::{Proof, TokenReserves},
    status::Summary,
};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeMetric, text::encode},
    metrics::{TypedMetric, counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};
use std::sync::atomic::AtomicU64;

/// All metrics of the daemon.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    deposits_posted: Counter,
    withdrawals_reserved: Counter,
    withdrawals_refused: Counter,
    withdrawals_settled: Counter,
    transactions_sent: Counter,
    transactions_lost: Counter,
    payouts_held: Family<HeldLabels, Counter>,
    withdrawals_held: Family<HeldLabels, Gauge>,
    submitter_balance_gwei: Gauge,
    submitter_low: Gauge,
    payouts_paused: Gauge,
    suspicions: Counter,
    reserves_breaks: Counter,
    rereadings: Counter,
    deposits_reincluded: Counter,
    ledger_unknown: Counter,
    ledger_rebuilt: Counter,
    ledger_latency: Histogram,
    batch_events: Histogram,
    acknowledged_block: Gauge,
    final_block: Gauge,
    latest_block: Gauge,
    acknowledged_seq: Gauge,
    contract_seq: Gauge,
    queued_operations: Gauge,
    open_withdrawals: Gauge,
    transactions_in_flight: Gauge,
    blocked_ledgers: Gauge,
    up_to_date: Gauge,
    halted: Gauge,
    comparing: Gauge,
    backfill_events_per_second: Gauge,
    backfill_seconds_left: Gauge,
    reserves: ReservesGauges,
    rereading: Gauge,
    endpoint_set_aside: Family<Endpoint, Gauge>,
    endpoint_final_block: Family<Endpoint, Gauge>,
    endpoint_faults: Family<Endpoint, Gauge>,
}

type ByLedger<M> = Family<[(&'static str, String); 1], M>;

/// One value for each listed token, under its ledger's number: only a vault's admin adds labels.
#[derive(Debug)]
struct ReservesGauges {
    proved: ByLedger<Gauge>,
    breaks: ByLedger<Gauge>,
    block: ByLedger<Gauge>,
    accounted: ByLedger<Gauge<f64, AtomicU64>>,
    explained: ByLedger<Gauge<f64, AtomicU64>>,
    balance: ByLedger<Gauge<f64, AtomicU64>>,
    claimable: ByLedger<Gauge<f64, AtomicU64>>,
}

impl ReservesGauges {
    fn register(r: &mut Registry) -> Self {
        Self {
            proved: by_ledger(r, "reserves_proved", "1 while a token adds up and is signed for"),
            breaks: by_ledger(r, "reserves_broken_blocks", "Blocks at which it did not add up"),
            block: by_ledger(r, "reserves_block", "Final block that was judged last"),
            accounted: by_ledger(r, "reserves_accounted", "The vault counts on, token units"),
            explained: by_ledger(r, "reserves_explained", "The ledger explains, token units"),
            balance: by_ledger(r, "reserves_balance", "The vault has, token units"),
            claimable: by_ledger(r, "reserves_claimable", "Left to be claimed, token units"),
        }
    }

    fn observe(&self, tokens: &[TokenReserves]) {
        for token in tokens {
            let label = [("ledger", token.ledger.to_string())];
            let proved = i64::from(token.proof == Proof::Proved);
            self.proved.get_or_create(&label).set(proved);
            self.breaks.get_or_create(&label).set(token.breaks.into());
            let block = token.block.unwrap_or_default().0;
            self.block.get_or_create(&label).set(i64::try_from(block).unwrap_or(i64::MAX));
            let holdings = &token.holdings;
            for (family, amount) in [
                (&self.accounted, holdings.accounted),
                (&self.explained, token.explained.unwrap_or_default()),
                (&self.balance, holdings.balance),
                (&self.claimable, holdings.claimable),
            ] {
                family.get_or_create(&label).set(approximate(amount.0));
            }
        }
    }
}

/// For graphs; the exact number is in `/v1/reserves`.
#[expect(clippy::cast_precision_loss, reason = "for graphs")]
fn approximate(amount: u128) -> f64 {
    amount as f64
}

/// The label of an endpoint: its place in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: u8,
}

/// Why nothing was sent: an [`Obstacle`]'s name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HeldLabels {
    reason: &'static str,
}

const fn held_label(obstacle: Obstacle) -> HeldLabels {
    HeldLabels { reason: obstacle.name() }
}

/// Wei in a gwei.
const GWEI: u128 = 1_000_000_000;

const LATENCY_SECONDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const BATCH_EVENTS: [f64; 10] = [1.0, 2.0, 8.0, 32.0, 128.0, 253.0, 1024.0, 2048.0, 4096.0, 8189.0];

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("sovr");
        let r = &mut registry;
        Self {
            deposits_posted: counter(r, "deposits_posted", "Deposits posted in the ledger"),
            withdrawals_reserved: counter(r, "withdrawals_reserved", "Withdrawals set aside"),
            withdrawals_refused: counter(r, "withdrawals_refused", "Refused by the ledger"),
            withdrawals_settled: counter(r, "withdrawals_settled", "Posted or voided"),
            transactions_sent: counter(r, "transactions_sent", "Payouts and refusals sent"),
            transactions_lost: counter(r, "transactions_lost", "Nonces used for nothing"),
            payouts_held: family(r, "payouts_held", "Attempts that met an obstacle"),
            withdrawals_held: family(r, "withdrawals_held", "Withdrawals that wait for this"),
            submitter_balance_gwei: gauge(r, "submitter_balance_gwei", "Gas money left"),
            submitter_low: gauge(r, "submitter_low", "1 while the gas money runs low"),
            payouts_paused: gauge(r, "payouts_paused", "1 while the vault pays nothing"),
            suspicions: counter(r, "suspicions", "Answers of the node that did not fit"),
            reserves_breaks: counter(r, "reserves_breaks", "Tokens that ceased to add up"),
            rereadings: counter(r, "rereadings", "Reorgs past finality"),
            deposits_reincluded: counter(r, "deposits_reincluded", "Posted, then elsewhere"),
            ledger_unknown: counter(r, "ledger_unknown", "Ledger requests without an answer"),
            ledger_rebuilt: counter(r, "ledger_rebuilt", "Ledger clients built anew"),
            ledger_latency: histogram(
                r,
                "ledger_latency_seconds",
                "Time of one ledger request",
                &LATENCY_SECONDS,
            ),
            batch_events: histogram(r, "batch_events", "Events in one request", &BATCH_EVENTS),
            acknowledged_block: gauge(r, "acknowledged_block", "Everything up to it is posted"),
            final_block: gauge(r, "final_block", "Newest final block"),
            latest_block: gauge(r, "latest_block", "Newest block"),
            acknowledged_seq: gauge(r, "acknowledged_seq", "Last event in the ledger"),
            contract_seq: gauge(r, "contract_seq", "The vault's own count of events"),
            queued_operations: gauge(r, "queued_operations", "Operations before the ledger"),
            open_withdrawals: gauge(r, "open_withdrawals", "Withdrawals that have not ended"),
            transactions_in_flight: gauge(r, "transactions_in_flight", "Waiting for a block"),
            blocked_ledgers: gauge(r, "blocked_ledgers", "Ledgers that cannot be served"),
            up_to_date: gauge(r, "up_to_date", "1 if everything final is in the ledger"),
            halted: gauge(r, "halted", "1 after a contradiction"),
            comparing: gauge(r, "comparing", "1 while history is held against the ledger"),
            backfill_events_per_second: gauge(
                r,
                "backfill_events_per_second",
                "Lately, during a long way to catch up; else 0",
            ),
            backfill_seconds_left: gauge(
                r,
                "backfill_seconds_left",
                "Of a long way to catch up; -1 while nothing moves, else 0",
            ),
            reserves: ReservesGauges::register(r),
            rereading: gauge(r, "rereading", "Reads in vain of what is being read again"),
            endpoint_set_aside: family(r, "endpoint_set_aside", "1 while it is set aside"),
            endpoint_final_block: family(r, "endpoint_final_block", "Its newest final block"),
            endpoint_faults: family(r, "endpoint_faults", "Reads that failed or did not fit"),
            registry,
        }
    }

    /// Takes in a summary of the core.
    pub fn observe(&self, summary: &Summary) {
        let set = |gauge: &Gauge, value: u64| {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        let size = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        set(&self.acknowledged_block, summary.acknowledged.block.number.0);
        set(&self.final_block, summary.final_block.unwrap_or_default().0);
        set(&self.latest_block, summary.latest_block.unwrap_or_default().0);
        set(&self.acknowledged_seq, summary.acknowledged.next_seq.minus(1).0);
        set(&self.contract_seq, summary.contract_seq.unwrap_or_default().0);
        set(&self.queued_operations, size(summary.queued_operations));
        set(&self.open_withdrawals, size(summary.open_withdrawals));
        set(&self.transactions_in_flight, size(summary.transactions_in_flight));
        set(&self.blocked_ledgers, size(summary.blocked_ledgers.len()));
        set(&self.up_to_date, u64::from(summary.up_to_date));
        for obstacle in Obstacle::ALL {
            let waiting = summary.held.get(&obstacle).copied().unwrap_or_default();
            set(&self.withdrawals_held.get_or_create(&held_label(obstacle)), size(waiting));
        }
        if let Some(submitter) = &summary.submitter {
            let gwei = submitter.balance / GWEI;
            set(&self.submitter_balance_gwei, u64::try_from(gwei).unwrap_or(u64::MAX));
            set(&self.submitter_low, u64::from(submitter.is_low));
        }
        set(&self.payouts_paused, u64::from(summary.payouts_paused_until.is_some()));
        set(&self.halted, u64::from(summary.halted.is_some()));
        set(&self.comparing, u64::from(summary.is_comparing));
        self.reserves.observe(&summary.reserves);
        let attempts = summary.rereading.iter().map(|r| r.attempt).max();
        set(&self.rereading, u64::from(attempts.unwrap_or_default()));
        for one in &summary.endpoints {
            let of = Endpoint { endpoint: one.endpoint.0 };
            let family = |family: &Family<Endpoint, Gauge>, value| {
                set(&family.get_or_create(&of), value);
            };
            family(&self.endpoint_set_aside, u64::from(one.set_aside.is_some()));
            family(&self.endpoint_final_block, one.final_block.unwrap_or_default().0);
            family(&self.endpoint_faults, one.faults);
        }
    }

    /// Counts a notice of the core.
    pub fn count(&self, notice: &Notice) {
        match notice {
            Notice::DepositsPosted { count, .. } => {
                self.deposits_posted.inc_by(*count);
            }
            Notice::WithdrawalReserved { .. } => {
                self.withdrawals_reserved.inc();
            }
            Notice::WithdrawalRefused { .. } => {
                self.withdrawals_refused.inc();
            }
            Notice::WithdrawalSettled { .. } => {
                self.withdrawals_settled.inc();
            }
            Notice::Submitted { .. } | Notice::NonceFilled { .. } => {
                self.transactions_sent.inc();
            }
            Notice::TransactionLost { .. } => {
                self.transactions_lost.inc();
            }
            Notice::PayoutHeld { obstacle, .. } => {
                self.payouts_held.get_or_create(&held_label(*obstacle)).inc();
            }
            Notice::Suspect(_) => {
                self.suspicions.inc();
            }
            Notice::ReservesBroken(_) => {
                self.reserves_breaks.inc();
            }
            Notice::Rereading(_) => {
                self.rereadings.inc();
            }
            Notice::DepositReincluded { .. } => {
                self.deposits_reincluded.inc();
            }
            Notice::LedgerBlocked { .. }
            | Notice::ReservesMended { .. }
            | Notice::SubmitterChanged { .. }
            | Notice::SubmitterLow { .. }
            | Notice::SubmitterFilled { .. }
            | Notice::EndpointSetAside { .. }
            | Notice::EndpointBack { .. }
            | Notice::Halted(_) => {}
        }
    }

    /// How far a long way to catch up has come; `None` if there is none.
    pub fn progress(&self, report: Option<&Report>) {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let speed = report.map_or(0, |r| number(r.events_per_second));
        self.backfill_events_per_second.set(speed);
        let left = report.map_or(0, |r| r.seconds_left.map_or(-1, number));
        self.backfill_seconds_left.set(left);
    }

    /// One ledger request was answered.
    pub fn ledger_answered(&self, seconds: f64, events: usize) {
        self.ledger_latency.observe(seconds);
        self.batch_events.observe(f64::from(u32::try_from(events).unwrap_or(u32::MAX)));
    }

    /// One ledger request has no answer.
    pub fn ledger_unknown(&self) {
        self.ledger_unknown.inc();
    }

    /// The ledger client was built anew.
    pub fn ledger_rebuilt(&self) {
        self.ledger_rebuilt.inc();
    }

    /// The text that Prometheus scrapes.
    ///
    /// # Errors
    /// If formatting fails.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let metric = Counter::default();
    registry.register(name, help, metric.clone());
    metric
}

fn by_ledger<M>(registry: &mut Registry, name: &str, help: &str) -> ByLedger<M>
where
    M: Default + Clone + std::fmt::Debug + EncodeMetric + TypedMetric + Send + Sync + 'static,
{
    let metric = ByLedger::<M>::default();
    registry.register(name, help, metric.clone());
    metric
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let metric = Gauge::default();
    registry.register(name, help, metric.clone());
    metric
}

fn family<L, M>(registry: &mut Registry, name: &str, help: &str) -> Family<L, M>
where
    L: Clone + std::hash::Hash + Eq,
    M: Default,
    Family<L, M>: Metric,
{
    let metric = Family::<L, M>::default();
    registry.register(name, help, metric.clone());
    metric
}

fn histogram(registry: &mut Registry, name: &str, help: &str, buckets: &[f64]) -> Histogram {
    let metric = Histogram::new(buckets.iter().copied());
    registry.register(name, help, metric.clone());
    metric
}
