//! What chain and ledger say of an order, read by the adapter and judged by the core.

use super::super::{Sources, problem::Problem};
use crate::{
    chain::{error::ReadError, node::Node},
    ledger::client::CallError,
};
use alloy::primitives::B256;
use bridge_core::{
    asset::LedgerId,
    gasless::{Facts, Intent, Submission, Terms},
    id::{AccountId, PersonClass},
    posting::WithdrawalIds,
    signing::OwnerSide,
    transfer::FoundTransfer,
};
use tigerbeetle_unofficial::{Account, account::Flags};

/// The ledger first, then as many nodes as must agree, each at its own final block.
///
/// # Errors
/// If the ledger, or too few nodes, answer.
pub(super) async fn gather(
    sources: &Sources,
    intent: Intent,
    id: B256,
) -> Result<Submission, Problem> {
    let mut said: Vec<Facts> = Vec::new();
    let mut last = ReadError::Missing("endpoint".to_owned());
    let quorum = usize::from(sources.chain.quorum);
    for (node, _) in sources.nodes.in_order(&sources.now().endpoints) {
        match of_chain(node, &intent, id).await {
            Ok(facts) => said.push(facts),
            Err(error) => last = error,
        }
        if said.len() >= quorum {
            break;
        }
    }
    let worst = said.iter().min_by_key(|facts| doubts(facts)).cloned();
    let facts = worst.filter(|_| said.len() >= quorum);
    let facts = facts.ok_or_else(|| Problem::unavailable(format!("no node answered: {last}")))?;
    let facts = with_ledger(sources, &intent, id, facts).await?;
    Ok(Submission { intent, facts })
}

/// One that says no is enough for no.
const fn doubts(facts: &Facts) -> (bool, bool, u64) {
    (facts.is_signed, !facts.nonce_invalidated, facts.block.0)
}

async fn of_chain(node: &Node, intent: &Intent, id: B256) -> Result<Facts, ReadError> {
    let head = node.final_head().await?;
    let at = head.block.hash;
    let (state, terms, window_s, owner) = tokio::try_join!(
        node.state(id, at),
        node.terms(intent.token, at),
        node.deadline_window(at),
        node.owner_side((intent.owner, intent.nonce), (id, &intent.signature), at),
    )?;
    let OwnerSide { has_signed, nonce_invalidated } = owner;
    Ok(Facts {
        block: head.block.number,
        time: head.timestamp,
        state,
        nonce_invalidated,
        is_signed: has_signed,
        terms,
        window_s,
        pending: None,
        available: 0,
        is_frozen: false,
    })
}

async fn with_ledger(
    sources: &Sources,
    intent: &Intent,
    id: B256,
    facts: Facts,
) -> Result<Facts, Problem> {
    let Some(Terms { listing, .. }) = facts.terms else { return Ok(facts) };
    let pending =
        of_ledger(sources.ledger.lookup_transfers(&[WithdrawalIds::gasless(id).main]).await)?;
    let person = |class, ledger| AccountId::person(class, ledger, intent.owner);
    let funds = person(PersonClass::Funds, listing.ledger);
    let gate = person(PersonClass::Gate, LedgerId::CONTROL);
    let accounts = of_ledger(sources.ledger.lookup_accounts(&[funds, gate]).await)?;
    let account = |id: AccountId| accounts.iter().find(|account| account.id() == id.0);
    Ok(Facts {
        pending: pending.into_iter().next(),
        available: account(funds).map_or(0, available),
        is_frozen: account(gate).is_some_and(|gate| gate.flags().contains(Flags::CLOSED)),
        ..facts
    })
}

/// What may still be debited: what is set aside already is not there any more.
fn available(account: &Account) -> u128 {
    let debits = account.debits_posted().saturating_add(account.debits_pending());
    account.credits_posted().saturating_sub(debits)
}

/// True if the ledger holds the end of this withdrawal.
pub(super) async fn has_ended(sources: &Sources, id: B256) -> Result<bool, Problem> {
    let ids = WithdrawalIds::gasless(id);
    let found = of_ledger(sources.ledger.lookup_transfers(&[ids.main, ids.resolve]).await)?;
    let its_own = |t: &FoundTransfer| t.id == ids.main && t.gasless_id() == id;
    Ok(found.iter().any(its_own) && found.iter().any(|t| t.id == ids.resolve))
}

fn of_ledger<T>(answer: Result<T, CallError>) -> Result<T, Problem> {
    answer.map_err(|e| Problem::unavailable(format!("the ledger did not answer: {e}")))
}
