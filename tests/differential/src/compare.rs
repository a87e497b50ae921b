//! One history on both sides.
//!
//! The server goes first. Where one of a batch's events was executed, its timestamp tells the whole
//! batch's, and the model is given the same: timestamps are then compared exactly, not only by
//! their order. Expiry depends on the clock, so no deadline may fall between a batch and the
//! lookups after it: a run on a machine too slow for that is discarded and done again, with longer
//! timeouts.

use crate::{
    codes::{Count, Hits},
    history::{
        History, Range, Step, account_name, number, show_account, show_transfer, transfer_name,
    },
    model::Model,
    server::Server,
};
use anyhow::{Result, bail};
use bridge_core::transfer::{AccountResult, TransferResult};
use bridge_sim::ledger::{
    Failures,
    types::{Account, Transfer},
};
use std::{
    collections::BTreeMap,
    fmt::{Debug, Write as _},
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant, SystemTime},
};
use tokio::time::sleep;

/// Runs of one history before the machine is called too slow; the n-th has timeouts of n seconds.
const ATTEMPTS: u32 = 6;
/// Deadlines beyond this are never reached.
const FAR_NS: u64 = 600_000_000_000;
/// How near a deadline may come before it is uncertain on which side of it something happened.
const MARGIN_NS: u64 = 10_000_000;
/// How long after its deadline the server may take to end a pending.
const EXPIRY_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);

/// Where the two sides differ.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The step after which they did.
    pub step: usize,
    /// How, a line each.
    pub differences: Vec<String>,
    /// The history up to there with both sides' answers.
    pub told: String,
}

/// Runs a history on both sides.
///
/// # Errors
/// When the server does not answer, or the machine is too slow for the shortest timeouts.
pub async fn compare<M: Model>(
    history: &History,
    server: &Server,
) -> Result<(Hits, Option<Mismatch>)> {
    for attempt in 1..=ATTEMPTS {
        let mut run = Run::<M>::new(history, server, server.range(), attempt);
        run.hits.slow = u64::from(attempt - 1);
        match run.all(history).await? {
            End::TooSlow => {}
            End::Equal => return Ok((run.hits, None)),
            End::Different(step, differences) => {
                let told = std::mem::take(&mut run.told);
                return Ok((run.hits, Some(Mismatch { step, differences, told })));
            }
        }
    }
    bail!("too slow: pendings expired before what they are for, even with timeouts of {ATTEMPTS} s")
}

enum End {
    Equal,
    Different(usize, Vec<String>),
    TooSlow,
}

struct Run<'a, M> {
    model: M,
    server: &'a Server,
    range: Range,
    stretch: u32,
    accounts: Vec<u128>,
    transfers: Vec<u128>,
    hits: Hits,
    told: String,
}

/// What the server has of this run.
#[derive(Default)]
struct Seen {
    accounts: BTreeMap<u128, Account>,
    transfers: BTreeMap<u128, Transfer>,
}

impl<'a, M: Model> Run<'a, M> {
    fn new(history: &History, server: &'a Server, range: Range, stretch: u32) -> Self {
        let place = |ids: Vec<u128>| ids.into_iter().map(|id| range.place(id)).collect();
        Self {
            model: M::default(),
            server,
            range,
            stretch,
            accounts: place(history.account_ids()),
            transfers: place(history.transfer_ids()),
            hits: Hits::default(),
            told: String::new(),
        }
    }

    async fn all(&mut self, history: &History) -> Result<End> {
        for (index, step) in history.steps.iter().enumerate() {
            let mut deadlines = self.model.deadlines();
            let differences = match step {
                Step::Accounts(events) => self.create_accounts(index, events).await?,
                Step::Transfers(events) => self.create_transfers(index, events).await?,
                Step::Expire => {
                    deadlines.clear();
                    let differences = self.expire(index).await?;
                    if !differences.is_empty() {
                        // It waited long enough: a deadline that is still there is the difference.
                        return Ok(End::Different(index, differences));
                    }
                    differences
                }
            };
            deadlines.extend(self.model.deadlines());
            let now = now_ns();
            if deadlines.iter().any(|at| *at <= now + MARGIN_NS) {
                return Ok(End::TooSlow);
            }
            if !differences.is_empty() {
                return Ok(End::Different(index, differences));
            }
        }
        Ok(End::Equal)
    }

    async fn create_accounts(&mut self, step: usize, local: &[Account]) -> Result<Vec<String>> {
        let events: Vec<_> = local.iter().map(|a| self.range.account(a)).collect();
        let before = now_ns();
        let server = self.server.create_accounts(&events).await?;
        let seen = self.look().await?;
        let made = |a: &Account| seen.accounts.get(&a.id).map(|a| a.timestamp);
        let now = batch_end(&events, &server, made).unwrap_or(before);
        let Some(model) = catch(|| self.model.create_accounts(&events, now)) else {
            return Ok(vec!["the model panics".to_owned()]);
        };
        let lines = local.iter().map(show_account).collect::<Vec<_>>();
        self.hits.batches += 1;
        let codes =
            Codes { events: events.len(), server: &server, model: &model, ok: AccountResult::Ok };
        codes.count(&mut self.hits.accounts);
        codes.tell(&mut self.told, step, "create_accounts", &lines);
        let mut differences = codes.differences();
        differences.extend(self.state_differs(&seen));
        Ok(differences)
    }

    async fn create_transfers(&mut self, step: usize, local: &[Transfer]) -> Result<Vec<String>> {
        let events: Vec<_> = local.iter().map(|t| self.range.transfer(t, self.stretch)).collect();
        let before = now_ns();
        let server = self.server.create_transfers(&events).await?;
        let seen = self.look().await?;
        let made = |t: &Transfer| seen.transfers.get(&t.id).map(|t| t.timestamp);
        let now = batch_end(&events, &server, made).unwrap_or(before);
        let Some(model) = catch(|| self.model.create_transfers(&events, now)) else {
            return Ok(vec!["the model panics".to_owned()]);
        };
        let lines = local.iter().map(show_transfer).collect::<Vec<_>>();
        self.hits.batches += 1;
        let codes =
            Codes { events: events.len(), server: &server, model: &model, ok: TransferResult::Ok };
        codes.count(&mut self.hits.transfers);
        codes.tell(&mut self.told, step, "create_transfers", &lines);
        let mut differences = codes.differences();
        differences.extend(self.state_differs(&seen));
        Ok(differences)
    }

    /// Waits until the server shows what the model says of the time after the last near deadline.
    async fn expire(&mut self, step: usize) -> Result<Vec<String>> {
        let _ = writeln!(self.told, "  {}. wait for expiry", step + 1);
        let now = now_ns();
        let mut near = self.model.deadlines();
        near.retain(|at| *at < now + FAR_NS);
        let Some(last) = near.iter().max().copied() else { return Ok(Vec::new()) };
        sleep(Duration::from_nanos((last + MARGIN_NS).saturating_sub(now))).await;
        self.model.expire(last);
        if self.model.deadlines().iter().any(|at| *at <= last) {
            return Ok(vec!["the model keeps pendings past their deadline".to_owned()]);
        }
        let started = Instant::now();
        loop {
            let seen = self.look().await?;
            let differences = self.state_differs(&seen);
            if differences.is_empty() {
                self.hits.expired += near.len() as u64;
                return Ok(differences);
            }
            if started.elapsed() >= EXPIRY_LIMIT {
                return Ok(differences);
            }
            sleep(POLL).await;
        }
    }

    async fn look(&self) -> Result<Seen> {
        let mut seen = Seen::default();
        if !self.accounts.is_empty() {
            let found = self.server.lookup_accounts(&self.accounts).await?;
            seen.accounts = found.into_iter().map(|a| (a.id, a)).collect();
        }
        if !self.transfers.is_empty() {
            let found = self.server.lookup_transfers(&self.transfers).await?;
            seen.transfers = found.into_iter().map(|t| (t.id, t)).collect();
        }
        Ok(seen)
    }

    fn state_differs(&self, seen: &Seen) -> Vec<String> {
        let mut lines = Vec::new();
        for id in &self.accounts {
            let name = account_name(self.range.local(*id));
            let model = self.model.account(*id).as_ref().map(account_fields);
            let server = seen.accounts.get(id).map(account_fields);
            differs(&mut lines, &name, model.as_deref(), server.as_deref());
        }
        for id in &self.transfers {
            let name = transfer_name(self.range.local(*id));
            let fields = |t: &Transfer| transfer_fields(t, self.range);
            let model = self.model.transfer(*id).as_ref().map(fields);
            let server = seen.transfers.get(id).map(fields);
            differs(&mut lines, &name, model.as_deref(), server.as_deref());
        }
        lines
    }
}

/// Both sides' answers to one batch.
struct Codes<'a, R> {
    events: usize,
    server: &'a Failures<R>,
    model: &'a Failures<R>,
    ok: R,
}

impl<R: Copy + Ord + Debug> Codes<'_, R> {
    fn of(&self, failures: &Failures<R>, index: usize) -> R {
        failures.iter().find(|(i, _)| *i == index).map_or(self.ok, |(_, code)| *code)
    }

    fn pairs(&self) -> impl Iterator<Item = (R, R)> {
        (0..self.events).map(|i| (self.of(self.server, i), self.of(self.model, i)))
    }

    fn count(&self, counts: &mut BTreeMap<R, Count>) {
        for (server, model) in self.pairs() {
            counts.entry(server).or_default().server += 1;
            counts.entry(model).or_default().model += 1;
        }
    }

    fn tell(&self, told: &mut String, step: usize, call: &str, lines: &[String]) {
        let _ = writeln!(told, "  {}. {call}", step + 1);
        for (line, (server, model)) in lines.iter().zip(self.pairs()) {
            let _ = write!(told, "       {line}: {server:?}");
            let _ = if server == model {
                writeln!(told)
            } else {
                writeln!(told, "   <-- the model says {model:?}")
            };
        }
    }

    fn differences(&self) -> Vec<String> {
        let codes = self.pairs().enumerate().filter(|(_, (server, model))| server != model);
        let mut lines: Vec<_> = codes
            .map(|(i, (server, model))| format!("event {i}: server {server:?}, model {model:?}"))
            .collect();
        if lines.is_empty() && self.server != self.model {
            lines.push(format!(
                "answers in another form: server {:?}, model {:?}",
                self.server, self.model
            ));
        }
        lines
    }
}

/// The timestamp of a batch's last event, if any was executed: they are consecutive.
fn batch_end<E, R>(
    events: &[E],
    failures: &Failures<R>,
    made: impl Fn(&E) -> Option<u64>,
) -> Option<u64> {
    let ok = |index: &usize| failures.iter().all(|(i, _)| i != index);
    let first = (0..events.len()).find(ok)?;
    Some(made(events.get(first)?)? + (events.len() - 1 - first) as u64)
}

type Fields = Vec<(&'static str, String)>;

fn account_fields(a: &Account) -> Fields {
    vec![
        ("debits_pending", number(a.debits_pending)),
        ("debits_posted", number(a.debits_posted)),
        ("credits_pending", number(a.credits_pending)),
        ("credits_posted", number(a.credits_posted)),
        ("user_data_128", number(a.user_data_128)),
        ("user_data_64", a.user_data_64.to_string()),
        ("user_data_32", a.user_data_32.to_string()),
        ("ledger", a.ledger.to_string()),
        ("code", a.code.to_string()),
        ("flags", format!("{:#x}", a.flags)),
        ("timestamp", a.timestamp.to_string()),
    ]
}

fn transfer_fields(t: &Transfer, range: Range) -> Fields {
    vec![
        ("debit_account_id", account_name(range.local(t.debit_account_id))),
        ("credit_account_id", account_name(range.local(t.credit_account_id))),
        ("amount", number(t.amount)),
        ("pending_id", transfer_name(range.local(t.pending_id))),
        ("user_data_128", number(t.user_data_128)),
        ("user_data_64", t.user_data_64.to_string()),
        ("user_data_32", t.user_data_32.to_string()),
        ("timeout", t.timeout.to_string()),
        ("ledger", t.ledger.to_string()),
        ("code", t.code.to_string()),
        ("flags", format!("{:#x}", t.flags)),
        ("timestamp", t.timestamp.to_string()),
    ]
}

fn differs(
    lines: &mut Vec<String>,
    name: &str,
    model: Option<&[(&str, String)]>,
    server: Option<&[(&str, String)]>,
) {
    match (model, server) {
        (None, None) => {}
        (Some(_), None) => lines.push(format!("{name}: only the model has it")),
        (None, Some(_)) => lines.push(format!("{name}: only the server has it")),
        (Some(model), Some(server)) => {
            for ((field, m), (_, s)) in model.iter().zip(server).filter(|(m, s)| m != s) {
                lines.push(format!("{name} {field}: server {s}, model {m}"));
            }
        }
    }
}

/// A model that panics is a model that differs.
fn catch<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
