//! Gasless withdrawals: an owner's signed order comes in, whatever happens to it afterwards is told
//! under its id. Sending the same text again changes nothing and tells how it stands.

mod facts;
mod order;

use super::{
    Part, Sources,
    problem::{FieldFault, Problem},
    reference::Reference,
    transfers,
};
use alloy::primitives::{Address, B256};
use bridge_core::{
    bridge::NotTaken,
    event::Event,
    gasless::Submission,
    schema::AddressText,
    withdrawal::{RefusalReason, Reservation},
};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// What an owner signs, and the signature.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "the text is read field by field, to tell all faults at once")]
pub(super) struct OrderText {
    /// Whose balance pays.
    #[schema(value_type = AddressText)]
    owner: Address,
    /// Who receives.
    #[schema(value_type = AddressText)]
    to: Address,
    /// What: 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE for ether.
    #[schema(value_type = AddressText)]
    token: Address,
    /// Token units that leave the vault.
    amount: String,
    /// Token units owed besides.
    fee: String,
    /// A number below 2^256.
    nonce: String,
    /// Unix seconds.
    deadline: u64,
    /// 65 bytes as hex digits, or what the owner's contract takes.
    signature: String,
}

/// Longest order that is read, bytes: the longest signature in hex digits, and the fields.
pub(super) const BODY_BYTES_MAX: usize = 8 << 10;
/// Orders that are looked at at the same time.
pub(super) const ORDERS_MAX: usize = 16;
/// Longest wait for a turn.
const TURN_MAX: Duration = Duration::from_secs(2);
/// Longest wait for the ledger's word before the answer.
const LEDGER_MAX: Duration = Duration::from_secs(10);
/// Longest wait for the engine to catch up with the block that was looked at.
const CATCH_UP_MAX: Duration = Duration::from_secs(3);

/// What became of an order.
#[derive(Debug)]
pub(super) enum Taken {
    /// It was taken in by this request.
    Now(transfers::Item),
    /// It was known before.
    Before(transfers::Item),
}

/// Takes an order in, or says why not. The answer comes after the order is durable.
///
/// # Errors
/// With everything that is wrong with it; or if chain, ledger or engine cannot answer now.
pub(super) async fn take(sources: &Sources, body: &[u8]) -> Result<Taken, Problem> {
    let turn = tokio::time::timeout(TURN_MAX, sources.shared.orders.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(Problem::busy(format!("{ORDERS_MAX} orders are looked at already")));
    };
    let intent = order::read(body)?;
    let text = intent.clone();
    let id = sources.inbox.ask(move |core| core.intent_id(&text)).await;
    let id = id.ok_or_else(stopping)?;
    if is_known(sources, id).await? {
        return Ok(Taken::Before(show(sources, id).await?));
    }
    let submission = facts::gather(sources, intent, id).await?;
    match judged(sources, &submission).await? {
        Ok(()) => {}
        Err(NotTaken::Known) => return Ok(Taken::Before(show(sources, id).await?)),
        Err(NotTaken::NotNow(why)) => return Err(Problem::unavailable(why)),
        Err(NotTaken::Faults(faults)) => {
            return Err(Problem::refused(faults.iter().map(FieldFault::of).collect()));
        }
    }
    sources.inbox.send(Event::Intent(Box::new(submission))).await;
    await_ledger(sources, id).await?;
    Ok(Taken::Now(show(sources, id).await?))
}

/// The one withdrawal of either kind that an id names.
///
/// # Errors
/// If chain or ledger do not answer.
pub(super) async fn show(sources: &Sources, id: B256) -> Result<transfers::Item, Problem> {
    let part = Part { before_block: None, before_seq: None };
    let answer = transfers::find(sources, Reference::Withdrawal(id), &part).await?;
    answer.only().ok_or_else(|| Problem::unavailable("nothing can be said of it just now"))
}

fn stopping() -> Problem {
    Problem::unavailable("the daemon is stopping")
}

/// True for an order whose text the engine has, or that has ended in the ledger.
async fn is_known(sources: &Sources, id: B256) -> Result<bool, Problem> {
    let open = sources.inbox.ask(move |core| core.withdrawal(id).cloned()).await;
    match open.ok_or_else(stopping)? {
        Some(open) => Ok(!open.lacks_text()),
        None => facts::has_ended(sources, id).await,
    }
}

/// The core's word. The node that was asked may be a block ahead of it or behind.
async fn judged(
    sources: &Sources,
    submission: &Submission,
) -> Result<Result<(), NotTaken>, Problem> {
    let mut steps = sources.summary.clone();
    let patience = tokio::time::sleep(CATCH_UP_MAX);
    tokio::pin!(patience);
    loop {
        let ours = submission.clone();
        let judged = sources.inbox.ask(move |core| core.judge_intent(&ours)).await;
        match judged.ok_or_else(stopping)? {
            waiting @ Err(NotTaken::NotNow(_)) => tokio::select! {
                () = &mut patience => return Ok(waiting),
                step = steps.changed() => step.map_err(|_| stopping())?,
            },
            judged => return Ok(judged),
        }
    }
}

/// How an order stands with the ledger.
enum Word {
    None,
    Reserved,
    Refused(RefusalReason),
    /// The engine does not have it: what was true a moment ago is not any more.
    Gone,
}

/// Waits until the ledger has set the amount aside, or has refused to.
async fn await_ledger(sources: &Sources, id: B256) -> Result<(), Problem> {
    let mut steps = sources.summary.clone();
    let patience = tokio::time::sleep(LEDGER_MAX);
    tokio::pin!(patience);
    loop {
        let word = sources.inbox.ask(move |core| match core.withdrawal(id) {
            // What was lost before is lost still.
            Some(open) if open.lacks_text() => Word::Gone,
            Some(open) if open.reservation == Reservation::Unknown => Word::None,
            Some(_) => Word::Reserved,
            None => core.was_refused(id).map_or(Word::Gone, Word::Refused),
        });
        match word.await.ok_or_else(stopping)? {
            Word::Reserved => return Ok(()),
            Word::Refused(reason) => return Err(Problem::refused_by_ledger(reason)),
            Word::Gone if facts::has_ended(sources, id).await? => return Ok(()),
            Word::Gone => return Err(Problem::unavailable("it was not taken in; send it again")),
            Word::None => tokio::select! {
                // It is durable all the same: the ledger will be asked for as long as it takes.
                () = &mut patience => return Ok(()),
                step = steps.changed() => step.map_err(|_| stopping())?,
            },
        }
    }
}
