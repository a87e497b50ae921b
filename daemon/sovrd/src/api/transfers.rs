//! Where a deposit or withdrawal is: the chain and the ledger asked side by side.
//!
//! Nothing is remembered for this: both are the states of record. What is not known yet is
//! `pending`, never an error.

use super::{Part, Sources, problem::Problem, reference::Reference, search};
use crate::chain::{bindings::Shown, search::Found as Events};
use alloy::primitives::{Address, B256};
use bridge_core::{
    block::{BlockNumber, FinalityPolicy, Seq},
    id::{Instance, Kind, TransferId},
    obstacle::Obstacle,
    posting::WithdrawalIds,
    schema::{AddressText, Bytes32Text, NumberText},
    transfer::{FoundPhase, FoundTransfer},
    vault_event::{
        Deposit, Origin, Outcome, Payment, Progress, Request, VaultEvent, VaultLog, Window,
    },
    withdrawal::{RefusalReason, Reservation, Status, Verdict, Withdrawal},
};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Schema, schema::AnyOfBuilder},
};

/// Items in one answer; the newest are kept.
const ITEMS_MAX: usize = 100;

/// What was found for a reference.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Answer {
    /// Oldest first.
    pub(super) items: Vec<Item>,
    /// The lowest block that was searched.
    searched_from_block: BlockNumber,
    /// True if there may be older items.
    truncated: bool,
    /// Where older items are.
    #[serde(skip_serializing_if = "Option::is_none")]
    older: Option<String>,
}

impl Answer {
    /// The item, where there is one alone.
    pub(super) fn only(self) -> Option<Item> {
        <[Item; 1]>::try_from(self.items).ok().map(|[item]| item)
    }
}

/// One deposit or withdrawal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Item {
    #[serde(rename = "ref")]
    pub(super) reference: String,
    kind: &'static str,
    pub(super) state: State,
    /// What this state means, for the person who waits.
    sentence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) chain: Option<ChainSide>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ledger: Option<LedgerSide>,
    /// For a large payout that waits in the contract's queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<Waiting>,
}

/// How long a large payout still waits.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
struct Waiting {
    #[serde(flatten)]
    window: Window,
    /// From the newest final block to the end of its window.
    seconds_left: u64,
}

/// States of both kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum State {
    Deposit(DepositState),
    Withdrawal(Status),
}

// Derived it would be `oneOf`, which a name that both kinds have does not satisfy.
impl PartialSchema for State {
    fn schema() -> RefOr<Schema> {
        let both = [DepositState::name(), Status::name()];
        let any = both
            .into_iter()
            .fold(AnyOfBuilder::new(), |any, name| any.item(Ref::from_schema_name(name)));
        RefOr::T(Schema::AnyOf(any.build()))
    }
}

impl ToSchema for State {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((DepositState::name().into_owned(), DepositState::schema()));
        schemas.push((Status::name().into_owned(), Status::schema()));
    }
}

impl State {
    /// Of something that nobody knows anything of.
    pub(super) const fn unseen() -> Self {
        Self::Deposit(DepositState::Pending)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DepositState {
    Pending,
    Cleared,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChainSide {
    seq: Seq,
    #[schema(value_type = AddressText)]
    owner: Address,
    #[schema(value_type = AddressText)]
    pub(super) token: Address,
    /// Token units.
    #[schema(value_type = NumberText)]
    amount: String,
    #[schema(value_type = Bytes32Text)]
    tx_hash: B256,
    pub(super) block: BlockNumber,
    confirmations: Confirmations,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Bytes32Text>)]
    outcome_tx_hash: Option<B256>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Confirmations {
    have: u64,
    /// A number, or the tag that decides.
    need: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LedgerSide {
    transfer_id: String,
    debit_account: String,
    credit_account: String,
    /// Ledger units.
    amount: String,
    /// Nanoseconds since 1970, the ledger's clock.
    pub(super) timestamp_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved: Option<&'static str>,
}

/// A withdrawal's events on chain.
#[derive(Debug, Default)]
struct Story {
    request: Option<(VaultLog, Request)>,
    end: Option<(VaultLog, Outcome)>,
    /// What names it, by its later steps.
    nonce: Option<Seq>,
    /// Why it was refused.
    refused: Option<RefusalReason>,
    /// The newest step of one that has no request on chain, with what it moves.
    step: Option<(VaultLog, Payment)>,
}

/// Finds what a reference names in a part of its history.
///
/// # Errors
/// If the node or the ledger does not answer.
pub(super) async fn find(
    sources: &Sources,
    reference: Reference,
    part: &Part,
) -> Result<Answer, Problem> {
    let Events { mut logs, from, is_complete } =
        search::run(sources, reference, part, ITEMS_MAX).await?;
    let left_out = search::newest(&mut logs, ITEMS_MAX) > 0;
    let older = older(reference, &logs, left_out, (from, is_complete));
    let found = ledger_side(sources, reference, &logs).await?;
    let mut deposits = Vec::new();
    let mut stories: BTreeMap<B256, Story> = BTreeMap::new();
    for Shown { log, refused } in logs {
        match log.event {
            VaultEvent::Deposited(deposit) => deposits.push((log, deposit)),
            VaultEvent::Requested(request) => {
                stories.entry(request.id).or_default().request = Some((log, request));
            }
            VaultEvent::Withdrawal(event) => {
                let story = stories.entry(event.id).or_default();
                story.nonce = Some(event.nonce);
                let gasless = event.origin == Origin::Intent;
                story.step = event.payment.filter(|_| gasless).map(|p| (log, p)).or(story.step);
                if let Progress::Ended(outcome) = event.progress {
                    story.end = Some((log, outcome));
                    story.refused = refused;
                }
            }
            VaultEvent::Listed(_)
            | VaultEvent::Delisted(_)
            | VaultEvent::Claimed
            | VaultEvent::NonceInvalidated(_) => {}
        }
    }
    let mut items: Vec<(Option<Seq>, Item)> = deposits
        .iter()
        .map(|(log, d)| (Some(log.seq), deposit_item(sources, log.seq, Some((log, d)), &found)))
        .collect();
    match reference {
        Reference::Deposit(seq) if items.is_empty() => {
            items.push((None, deposit_item(sources, seq, None, &found)));
        }
        Reference::Withdrawal(id) => drop(stories.entry(id).or_default()),
        Reference::Deposit(_) | Reference::Transaction(_) | Reference::Address(_) => {}
    }
    for (id, story) in stories {
        let open = sources.inbox.ask(move |core| core.withdrawal(id).cloned()).await.flatten();
        let at = story.request.as_ref().map(|(log, _)| log.seq);
        let at = at.or_else(|| story.end.as_ref().map(|(log, _)| log.seq));
        items.push((at, withdrawal_item(sources, id, &story, open.as_ref(), &found)));
    }
    items.sort_by_key(|(at, _)| *at);
    let items = items.into_iter().map(|(_, item)| item).collect();
    Ok(Answer { items, searched_from_block: from, truncated: older.is_some(), older })
}

/// Where older items are: below what is shown, to the event, or below what was searched.
fn older(
    reference: Reference,
    shown: &[Shown],
    left_out: bool,
    (from, is_complete): (BlockNumber, bool),
) -> Option<String> {
    let path = format!("/v1/transfers/{reference}?before_block=");
    match shown.first().filter(|_| left_out) {
        Some(Shown { log, .. }) => {
            Some(format!("{path}{}&before_seq={}", log.block.number.plus(1), log.seq))
        }
        None => (!is_complete).then(|| format!("{path}{from}")),
    }
}

type Found = BTreeMap<TransferId, FoundTransfer>;

/// All transfers that the logs, or the bare reference, stand for; one lookup.
async fn ledger_side(
    sources: &Sources,
    reference: Reference,
    logs: &[Shown],
) -> Result<Found, Problem> {
    let instance = sources.instance;
    let mut ids = Vec::new();
    match reference {
        Reference::Deposit(seq) => {
            ids.push(TransferId::chain_event(instance, Kind::Deposit, seq));
        }
        Reference::Withdrawal(id) => ids.extend(ends(WithdrawalIds::gasless(id))),
        Reference::Transaction(_) | Reference::Address(_) => {}
    }
    for Shown { log, .. } in logs {
        match &log.event {
            VaultEvent::Deposited(_) => {
                ids.push(TransferId::chain_event(instance, Kind::Deposit, log.seq));
            }
            VaultEvent::Requested(_) => ids.extend(ends(WithdrawalIds::of(instance, log.seq))),
            VaultEvent::Withdrawal(e) => {
                ids.extend(ends(WithdrawalIds::named(instance, e.nonce, e.id)));
            }
            VaultEvent::Listed(_)
            | VaultEvent::Delisted(_)
            | VaultEvent::Claimed
            | VaultEvent::NonceInvalidated(_) => {}
        }
    }
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Found::new());
    }
    let found = sources.ledger.lookup_transfers(&ids).await;
    let found =
        found.map_err(|e| Problem::unavailable(format!("the ledger did not answer: {e}")))?;
    Ok(found.into_iter().map(|t| (t.id, t)).collect())
}

const fn ends(ids: WithdrawalIds) -> [TransferId; 2] {
    [ids.main, ids.resolve]
}

fn deposit_item(
    sources: &Sources,
    seq: Seq,
    log: Option<(&VaultLog, &Deposit)>,
    found: &Found,
) -> Item {
    let id = TransferId::chain_event(sources.instance, Kind::Deposit, seq);
    let transfer = found.get(&id);
    let (state, sentence) = match (transfer, log) {
        (Some(_), _) => (DepositState::Cleared, "cleared in the ledger; it is final".to_owned()),
        (None, Some((log, _))) => {
            let c = confirmations(sources, log.block.number);
            let sentence = format!("waiting for finality: {} of {}", c.have, c.need);
            (DepositState::Pending, sentence)
        }
        (None, None) => {
            (DepositState::Pending, "not seen in a block yet; ask again in a moment".to_owned())
        }
    };
    Item {
        reference: format!("deposit:{seq}"),
        kind: "deposit",
        state: State::Deposit(state),
        sentence,
        chain: log.map(|(log, d)| chain_side(sources, log, d.owner, d.token, d.amount.0, None)),
        ledger: transfer.map(|t| ledger_entry(t, None)),
        queue: None,
    }
}

fn withdrawal_item(
    sources: &Sources,
    id: B256,
    story: &Story,
    open: Option<&Withdrawal>,
    found: &Found,
) -> Item {
    let ids = ids_of(sources.instance, id, story, open);
    let main =
        found.get(&ids.main).filter(|t| ids != WithdrawalIds::gasless(id) || t.gasless_id() == id);
    let resolve = main.and_then(|_| found.get(&ids.resolve));
    let end = story.end.as_ref();
    let status = withdrawal_status(open, end.map(|(_, outcome)| *outcome), resolve);
    let sentence = match (&story.request, open.map(|w| w.reservation)) {
        (None, _) if main.is_some() || open.is_some() => {
            match open.and_then(|w| waits_for(sources, w)) {
                Some(obstacle) => format!("{}; {}", status.sentence(), obstacle.sentence()),
                None => status.sentence().to_owned(),
            }
        }
        // Its request is on an older page.
        (None, _) if end.is_some() => status.sentence().to_owned(),
        (None, _) => "not seen in a block yet; ask again in a moment".to_owned(),
        (Some(_), Some(Reservation::Refused(reason))) => {
            format!("{}: {}", status.sentence(), reason.sentence())
        }
        (Some(_), None) if story.refused.is_some() => {
            let why = story.refused.map(RefusalReason::sentence).unwrap_or_default();
            format!("{}: {why}", status.sentence())
        }
        (Some((log, _)), None) if end.is_none() && resolve.is_none() => {
            let c = confirmations(sources, log.block.number);
            format!("waiting for finality: {} of {}", c.have, c.need)
        }
        (Some(_), _) => match open.and_then(|w| waits_for(sources, w)) {
            Some(obstacle) => format!("{}; {}", status.sentence(), obstacle.sentence()),
            None => status.sentence().to_owned(),
        },
    };
    let queue = open.and_then(|w| waiting(sources, w));
    let sentence = match queue {
        Some(Waiting { seconds_left, .. }) if seconds_left > 0 => {
            format!("{sentence}; {} left", duration(seconds_left))
        }
        Some(_) | None => sentence,
    };
    let chain = story
        .request
        .as_ref()
        .map(|(log, r)| chain_side(sources, log, r.owner, r.token, r.amount.0, end))
        .or_else(|| {
            let (log, p) = story.step.as_ref()?;
            Some(chain_side(sources, log, p.owner, p.token, p.amount.0, end))
        });
    Item {
        reference: format!("withdrawal:{id}"),
        kind: "withdrawal",
        state: State::Withdrawal(status),
        sentence,
        chain,
        ledger: main.map(|t| ledger_entry(t, resolve)),
        queue,
    }
}

/// How long a large payout still waits, by the chain's time.
fn waiting(sources: &Sources, open: &Withdrawal) -> Option<Waiting> {
    let window = open.queued.filter(|_| open.outcome.is_none())?;
    let now = sources.now().final_time.unwrap_or_default();
    Some(Waiting { window, seconds_left: window.opens.0.saturating_sub(now.0) })
}

/// A time for people, in its largest unit and the next.
fn duration(seconds: u64) -> String {
    match (seconds / 86_400, seconds % 86_400 / 3_600, seconds % 3_600 / 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, ..) => format!("{d} d {h} h"),
    }
}

/// A withdrawal without a request on chain is gasless, as far as anybody can tell.
fn ids_of(instance: Instance, id: B256, story: &Story, open: Option<&Withdrawal>) -> WithdrawalIds {
    let requested = story.request.as_ref().map(|(log, _)| log.seq);
    match requested.or(story.nonce).or_else(|| open.map(|w| w.seq)) {
        Some(seq) => WithdrawalIds::named(instance, seq, id),
        None => WithdrawalIds::gasless(id),
    }
}

/// What keeps an open withdrawal from being paid now.
fn waits_for(sources: &Sources, open: &Withdrawal) -> Option<Obstacle> {
    let paused = sources.now().payouts_paused_until.is_some();
    let waiting = matches!(open.status(), Status::Reserved | Status::Authorized | Status::Queued);
    if waiting && paused && open.verdict() == Some(Verdict::Pay) {
        return Some(Obstacle::PayoutsPaused);
    }
    open.obstacle.filter(|_| waiting)
}

/// The core knows open withdrawals best; of ended ones chain and ledger tell.
fn withdrawal_status(
    open: Option<&Withdrawal>,
    end: Option<Outcome>,
    resolve: Option<&FoundTransfer>,
) -> Status {
    if let Some(open) = open {
        return open.status();
    }
    match (end, resolve.map(|t| t.phase)) {
        (Some(Outcome::Paid), _) => Status::Paid,
        (Some(Outcome::Deferred), _) => Status::Deferred,
        (Some(Outcome::Refused), _) => Status::Refused,
        (Some(Outcome::Cancelled), _) => Status::Cancelled,
        (Some(Outcome::Expired), _) | (None, Some(FoundPhase::Void)) => Status::Expired,
        // How it ended on chain is on a newer page.
        (None, Some(FoundPhase::Post)) => Status::Paid,
        (Some(Outcome::Revoked), _) => Status::Revoked,
        (None, _) => Status::Pending,
    }
}

fn chain_side(
    sources: &Sources,
    log: &VaultLog,
    owner: Address,
    token: Address,
    amount: u128,
    end: Option<&(VaultLog, Outcome)>,
) -> ChainSide {
    ChainSide {
        seq: log.seq,
        owner,
        token,
        amount: amount.to_string(),
        tx_hash: log.tx_hash,
        block: log.block.number,
        confirmations: confirmations(sources, log.block.number),
        outcome: end.map(|(_, outcome)| *outcome),
        outcome_tx_hash: end.map(|(log, _)| log.tx_hash),
    }
}

fn confirmations(sources: &Sources, block: BlockNumber) -> Confirmations {
    let latest = sources.now().latest_block.unwrap_or_default();
    let have = latest.plus(1).minus(block.0).0;
    let need = match sources.chain.finality {
        FinalityPolicy::Confirmations(n) => n.to_string(),
        FinalityPolicy::Safe => "the node's safe tag".to_owned(),
        FinalityPolicy::Finalized => "the node's finalized tag".to_owned(),
    };
    Confirmations { have, need }
}

fn ledger_entry(transfer: &FoundTransfer, resolve: Option<&FoundTransfer>) -> LedgerSide {
    LedgerSide {
        transfer_id: transfer.id.to_string(),
        debit_account: transfer.debit.to_string(),
        credit_account: transfer.credit.to_string(),
        amount: transfer.amount.to_string(),
        timestamp_ns: transfer.timestamp_ns,
        resolved: resolve.map(|r| match r.phase {
            FoundPhase::Post => "posted",
            FoundPhase::Void => "voided",
            FoundPhase::Direct | FoundPhase::Pending => "unknown",
        }),
    }
}
