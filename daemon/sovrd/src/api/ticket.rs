//! Tickets: all that anybody needs to carry a signed payout or refusal to the vault themselves, or to
//! finish a large one there.

use super::{Sources, problem::Problem};
use crate::chain::bindings;
use alloy::primitives::{Address, B256, Bytes};
use bridge_core::{
    command::{Call, Carried, Finishing},
    schema::{AddressText, Bytes32Text, BytesText, NumberText},
    withdrawal::{Verdict, Withdrawal},
};
use serde::Serialize;
use utoipa::ToSchema;

/// Enough for one payout, whatever the recipient does with its allowance; unused gas is not paid for.
const GAS_LIMIT: u64 = 500_000;

/// A signed payout or refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ticket {
    #[schema(value_type = Bytes32Text)]
    id: B256,
    /// What the signers signed: `pay` or `refuse`; `finalize` for what waits in the vault's queue.
    verdict: &'static str,
    /// What it is good for, for the person who holds it.
    sentence: &'static str,
    chain_id: u64,
    #[schema(value_type = AddressText)]
    vault: Address,
    withdrawal: Fields,
    /// Over the root, ascending by signer; what waits in the queue needs none.
    #[schema(value_type = Vec<BytesText>)]
    signatures: Vec<Bytes>,
    /// The way from the id's leaf to the root; none where the leaf is the root.
    #[schema(value_type = Vec<Bytes32Text>)]
    proof: Vec<B256>,
    /// The whole call of the vault: send it from any account.
    #[schema(value_type = BytesText)]
    calldata: Bytes,
    /// Gas limit to send it with.
    gas_limit: u64,
}

/// `IVaultTypes.Withdrawal`; numbers that may be wide are text.
#[derive(Debug, Serialize, ToSchema)]
struct Fields {
    #[schema(value_type = AddressText)]
    owner: Address,
    #[schema(value_type = AddressText)]
    to: Address,
    #[schema(value_type = AddressText)]
    token: Address,
    /// Token units.
    #[schema(value_type = NumberText)]
    amount: String,
    /// Token units.
    #[schema(value_type = NumberText)]
    fee: String,
    #[schema(value_type = NumberText)]
    nonce: String,
    /// Unix seconds: the vault takes a payout no later.
    deadline: u64,
}

/// The ticket of an open withdrawal.
///
/// # Errors
/// If nothing is known of the id, or nothing is signed yet.
pub(super) async fn find(sources: &Sources, id: B256) -> Result<Ticket, Problem> {
    let open = sources.inbox.ask(move |core| core.withdrawal(id).cloned()).await.flatten();
    let open = open.filter(|open| open.outcome.is_none()).ok_or_else(|| {
        Problem::no_ticket(format!(
            "{id} is not open: it has ended, or its request is not final yet; \
             /v1/transfers/withdrawal:{id} tells which"
        ))
    })?;
    of(sources, &open).ok_or_else(|| {
        let sentence = open.obstacle.map_or_else(|| open.status().sentence(), |o| o.sentence());
        Problem::not_signed_yet(format!("{id} has no signatures yet: {sentence}; ask again"))
    })
}

fn of(sources: &Sources, open: &Withdrawal) -> Option<Ticket> {
    let call = call_for(open)?;
    let request = &open.request;
    let (fee, nonce) = match open.intent.as_deref() {
        Some(intent) => (intent.fee.0.to_string(), intent.nonce.to_string()),
        None => ("0".to_owned(), open.seq.0.to_string()),
    };
    Some(Ticket {
        id: request.id,
        verdict: call.verdict,
        sentence: call.sentence,
        chain_id: sources.chain.chain_id,
        vault: sources.chain.vault,
        withdrawal: Fields {
            owner: request.owner,
            to: request.to,
            token: request.token,
            amount: request.amount.0.to_string(),
            fee,
            nonce,
            deadline: request.deadline.0,
        },
        signatures: call.signatures,
        proof: call.proof,
        calldata: call.calldata.into(),
        gas_limit: GAS_LIMIT,
    })
}

/// What there is to send, and what it needs.
struct Sendable {
    verdict: &'static str,
    sentence: &'static str,
    signatures: Vec<Bytes>,
    proof: Vec<B256>,
    calldata: Vec<u8>,
}

/// `None` while nothing is signed, or while the owner's text is missing.
fn call_for(open: &Withdrawal) -> Option<Sendable> {
    let (seq, request) = (open.seq, open.request);
    let intent = open.intent.as_deref().cloned();
    if open.queued.is_some() {
        if open.lacks_text() {
            return None;
        }
        let finishing = Finishing { seq, request, intent, pays: true };
        return Some(Sendable {
            verdict: "finalize",
            sentence: "anybody may send this call once its window in the vault is over",
            signatures: Vec::new(),
            proof: Vec::new(),
            calldata: bindings::calldata(&Call::Finish(Box::new(finishing)))?,
        });
    }
    let authorization = open.authorization.clone()?;
    let (signatures, proof) = (authorization.signatures.clone(), authorization.proof.clone());
    let (verdict, sentence) = match authorization.verdict {
        Verdict::Pay => ("pay", "anybody may send this call to the vault until the deadline"),
        Verdict::Refuse(_) => ("refuse", "anybody may send this call; it closes the request"),
    };
    let calldata = bindings::carrying(&[Carried { seq, request, intent, authorization }])?;
    Some(Sendable { verdict, sentence, signatures, proof, calldata })
}
