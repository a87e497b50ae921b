//! Signers and submitter: keys, signatures, transactions. What to sign is the core's decision.

pub(crate) mod checks;
pub mod gather;
pub mod keys;
mod pause;
pub mod trial;

use crate::{
    chain::{bindings, node::raw_bytes, nodes::Nodes},
    engine::Inbox,
    failpoint::{during, reach},
};
use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    primitives::{Address, B256, Bytes, TxKind, U256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use bridge_core::{
    block::Seq,
    command::{Asked, Call, PayoutCommand, TransactionPlan},
    eip712::Domain,
    event::{Event, PayoutEvent, Signed},
    gas,
    obstacle::Obstacle,
    signing::{Ask, Tree},
};
use futures_util::future;
use gather::TooFew;
use std::{iter, slice, sync::Arc};
use tokio::sync::mpsc;
use tracing::{debug, warn};

/// The adapter with its keys.
#[derive(Debug)]
pub struct Payouts {
    /// Whoever authorises payouts and refusals.
    pub signers: gather::Signers,
    /// Pays for gas.
    pub submitter: PrivateKeySigner,
    /// Pauses payouts on chain when the bridge halts.
    pub pauser: Option<PrivateKeySigner>,
    /// The chain's id.
    pub chain_id: u64,
    /// The vault.
    pub vault: Address,
    /// Gas limit of one payout or refusal.
    pub gas_limit: u64,
    /// Where to send transactions.
    pub nodes: Nodes,
}

/// A call, ready to be signed.
#[derive(Debug)]
struct CallData {
    to: Address,
    input: Bytes,
    gas_limit: u64,
}

/// Executes orders until the engine is gone. Signatures and builds run beside each other, since each
/// asks others first; the core has only a bounded number of them under way.
pub async fn run(payouts: Payouts, mut orders: mpsc::Receiver<PayoutCommand>, inbox: Inbox) {
    let payouts = Arc::new(payouts);
    while let Some(order) = orders.recv().await {
        match order {
            PayoutCommand::Authorize(items) => {
                let (payouts, inbox) = (payouts.clone(), inbox.clone());
                tokio::spawn(async move {
                    for event in payouts.authorize(&items).await {
                        inbox.send(Event::Payout(event)).await;
                    }
                });
            }
            PayoutCommand::Build(plan) => {
                let (payouts, inbox) = (payouts.clone(), inbox.clone());
                tokio::spawn(async move {
                    inbox.send(Event::Payout(payouts.build(plan).await)).await;
                });
            }
            PayoutCommand::Broadcast { nonce, raw } => payouts.broadcast(nonce, raw),
            PayoutCommand::Pause => pause::start(&payouts),
        }
    }
}

impl Payouts {
    /// Signatures for all of them under one root. One that a signer refuses must not hold up the
    /// others: then each is asked for alone.
    async fn authorize(&self, items: &[Asked]) -> Vec<PayoutEvent> {
        match self.gather(items).await {
            Ok(event) => vec![event],
            Err(error @ TooFew::Signatures { .. }) if items.len() > 1 => {
                warn!(%error, items = items.len(), "too few signatures for all; asking for each");
                let each = items.chunks(1).map(|item| async move {
                    self.gather(item).await.unwrap_or_else(|e| not_signed(item, &e))
                });
                future::join_all(each).await
            }
            Err(error) => vec![not_signed(items, &error)],
        }
    }

    async fn gather(&self, items: &[Asked]) -> Result<PayoutEvent, TooFew> {
        reach("before-authorize");
        let domain = Domain::new(self.chain_id, self.vault);
        // The id commits to every field: what is signed is what was requested, or nothing is.
        let fits = |item: &&Asked| {
            let id = match &item.intent {
                Some(intent) => intent.id(&domain),
                None => domain.request_id(&item.request, item.seq.0),
            };
            id == item.request.id
        };
        let ask = |item: &Asked| {
            let (id, intent) = (item.request.id, item.intent.clone());
            Ask { id, verdict: item.verdict, intent }
        };
        let asks: Vec<Ask> = items.iter().filter(fits).map(ask).collect();
        let tree =
            Tree::over(&asks).filter(|_| asks.len() == items.len()).ok_or(TooFew::Nonsense)?;
        let signatures = self.signers.gather(&self.nodes, &domain, &asks, &tree).await?;
        reach("payout-authorized");
        let signed = |(item, proof): (&Asked, Vec<B256>)| {
            let Asked { seq, verdict, .. } = *item;
            Signed { seq, verdict, proof }
        };
        let items = items.iter().zip(tree.proofs).map(signed).collect();
        Ok(PayoutEvent::Authorized { items, signatures })
    }

    async fn build(&self, mut plan: TransactionPlan) -> PayoutEvent {
        let nonce = plan.nonce;
        let dropped = match self.drop_hopeless(&mut plan.call).await {
            Ok(dropped) => dropped,
            Err(obstacle) => return PayoutEvent::NotBuilt { nonce, obstacle, dropped: Vec::new() },
        };
        let call = self.call(&plan).filter(|_| !is_empty(&plan.call, &dropped));
        let Some(call) = call else {
            let first = dropped.first().map(|(_, obstacle)| *obstacle);
            let obstacle = first.unwrap_or(Obstacle::NodeAway);
            return PayoutEvent::NotBuilt { nonce, obstacle, dropped };
        };
        match self.sign(&plan, call) {
            Ok((raw, hash)) => {
                reach("transaction-built");
                PayoutEvent::Built { nonce, raw, hash, dropped }
            }
            Err(error) => {
                warn!(%error, nonce, "transaction not built");
                PayoutEvent::NotBuilt { nonce, obstacle: Obstacle::NodeAway, dropped }
            }
        }
    }

    /// `None` where nothing is left to carry.
    fn call(&self, plan: &TransactionPlan) -> Option<CallData> {
        let gas_limit = plan.gas_limit;
        if plan.call == Call::Nothing {
            return Some(CallData { to: self.submitter.address(), input: Bytes::new(), gas_limit });
        }
        let input = bindings::calldata(&plan.call)?.into();
        Some(CallData { to: self.vault, input, gas_limit })
    }

    /// A payout that reverts, or that a batch would skip, costs its gas all the same: each is tried
    /// out first, and what does not go through now is left out.
    async fn drop_hopeless(&self, call: &mut Call) -> Result<Vec<(Seq, Obstacle)>, Obstacle> {
        if let Call::Finish(finishing) = call {
            let seq = finishing.seq;
            let obstacle = self.try_out(seq, bindings::calldata(call), self.gas_limit).await?;
            let dropped = obstacle.map(|obstacle| (seq, obstacle));
            return Ok(dropped.into_iter().collect());
        }
        let Call::Withdrawals(items) = call else { return Ok(Vec::new()) };
        let trials = items.iter().map(|item| {
            let alone = bindings::carrying(slice::from_ref(item));
            self.try_out(item.seq, alone, gas::one(item, self.gas_limit))
        });
        let trials = future::try_join_all(trials).await?;
        let mut dropped = Vec::new();
        for (item, obstacle) in items.iter().zip(&trials) {
            dropped.extend(obstacle.map(|obstacle| (item.seq, obstacle)));
        }
        items.retain(|item| dropped.iter().all(|(seq, _)| *seq != item.seq));
        Ok(dropped)
    }

    /// What keeps one withdrawal from going through at the newest block.
    async fn try_out(
        &self,
        seq: Seq,
        input: Option<Vec<u8>>,
        gas: u64,
    ) -> Result<Option<Obstacle>, Obstacle> {
        let Some(input) = input else { return Ok(None) };
        let from = self.submitter.address();
        match self.nodes.trial(from, input.into(), gas).await {
            Ok(None) => Ok(None),
            Ok(Some(revert)) => {
                let words = trial::words(&revert);
                warn!(%seq, revert = %words, "the vault would revert; it is not sent");
                Ok(Some(trial::obstacle(&revert)))
            }
            Err(error) => {
                warn!(%error, %seq, "not tried out");
                Err(Obstacle::NodeAway)
            }
        }
    }

    fn sign(
        &self,
        plan: &TransactionPlan,
        CallData { to, input, gas_limit }: CallData,
    ) -> Result<(Bytes, B256), alloy::signers::Error> {
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce: plan.nonce,
            gas_limit,
            max_fee_per_gas: plan.fees.max_fee,
            max_priority_fee_per_gas: plan.fees.priority_fee,
            to: TxKind::Call(to),
            value: U256::ZERO,
            access_list: alloy::eips::eip2930::AccessList::default(),
            input,
        };
        let signature = self.submitter.sign_hash_sync(&transaction.signature_hash())?;
        let envelope = TxEnvelope::from(transaction.into_signed(signature));
        Ok((raw_bytes(&envelope), *envelope.tx_hash()))
    }

    /// Sends in the background. A failure means *unknown*: the core sends the same bytes again.
    fn broadcast(&self, nonce: u64, raw: Bytes) {
        let nodes = self.nodes.clone();
        tokio::spawn(async move {
            let sent = during(|| iter::once("broadcast-under-way"), nodes.send(&raw)).await;
            reach("broadcast-answered");
            match sent {
                Ok(hash) => debug!(%hash, nonce, "transaction accepted by a node"),
                Err(error) => warn!(%error, nonce, "no node confirmed a transaction"),
            }
        });
    }
}

/// Nothing is left of what was to be carried.
const fn is_empty(call: &Call, dropped: &[(Seq, Obstacle)]) -> bool {
    match call {
        Call::Withdrawals(items) => items.is_empty(),
        Call::Finish(_) => !dropped.is_empty(),
        Call::Nothing => false,
    }
}

fn not_signed(items: &[Asked], error: &TooFew) -> PayoutEvent {
    let seqs: Vec<Seq> = items.iter().map(|item| item.seq).collect();
    warn!(%error, ?seqs, "too few signatures");
    PayoutEvent::NotAuthorized { seqs, obstacle: error.obstacle() }
}
