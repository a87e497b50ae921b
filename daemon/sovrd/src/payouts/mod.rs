//! Signers and submitter: keys, signatures, transactions. What to sign is the core's decision.

mod checks;
pub mod gather;
pub mod keys;
mod pause;
pub mod trial;

use crate::{
    chain::{bindings, node::raw_bytes, nodes::Nodes},
    engine::Inbox,
    failpoint::reach,
};
use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    primitives::{Address, B256, Bytes, TxKind, U256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use bridge_core::{
    block::Seq,
    command::{Call, PayoutCommand, TransactionPlan},
    eip712::Domain,
    event::{Event, PayoutEvent},
    obstacle::Obstacle,
    signing::Ask,
    vault_event::Request,
    withdrawal::{Authorization, Verdict},
};
use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::{debug, warn};

/// Gas of a plain transfer, for a transaction that only uses up a nonce.
const PLAIN_TRANSFER_GAS: u64 = 21_000;

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
            PayoutCommand::Authorize { seq, request, verdict } => {
                let (payouts, inbox) = (payouts.clone(), inbox.clone());
                tokio::spawn(async move {
                    let event = payouts.authorize(seq, &request, verdict).await;
                    inbox.send(Event::Payout(event)).await;
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
    async fn authorize(&self, seq: Seq, request: &Request, verdict: Verdict) -> PayoutEvent {
        let domain = Domain::new(self.chain_id, self.vault);
        // The id commits to every field: what is signed is what was requested, or nothing is.
        if domain.request_id(request, seq.0) != request.id {
            warn!(%seq, "asked to sign a withdrawal whose id does not fit its fields");
            return PayoutEvent::NotAuthorized { seq };
        }
        let ask = Ask { id: request.id, verdict };
        match self.signers.gather(&self.nodes, &domain, ask).await {
            Ok(signatures) => PayoutEvent::Authorized { seq, verdict, signatures },
            Err(error) => {
                warn!(%error, %seq, "too few signatures");
                PayoutEvent::NotAuthorized { seq }
            }
        }
    }

    async fn build(&self, plan: TransactionPlan) -> PayoutEvent {
        let nonce = plan.nonce;
        let call = self.call(&plan.call);
        if let Err(obstacle) = self.try_out(nonce, &call).await {
            return PayoutEvent::NotBuilt { nonce, obstacle };
        }
        match self.sign(&plan, call) {
            Ok((raw, hash)) => PayoutEvent::Built { nonce, raw, hash },
            Err(error) => {
                warn!(%error, nonce, "transaction not built");
                PayoutEvent::NotBuilt { nonce, obstacle: Obstacle::NodeAway }
            }
        }
    }

    fn call(&self, call: &Call) -> CallData {
        match call {
            Call::Withdrawal { seq, request, authorization } => {
                let Authorization { verdict, signatures } = authorization;
                let input = bindings::calldata(request, *seq, *verdict, signatures).into();
                CallData { to: self.vault, input, gas_limit: self.gas_limit }
            }
            Call::Nothing => CallData {
                to: self.submitter.address(),
                input: Bytes::new(),
                gas_limit: PLAIN_TRANSFER_GAS,
            },
        }
    }

    /// A transaction that reverts pays for its gas all the same: it is tried out first.
    async fn try_out(&self, nonce: u64, call: &CallData) -> Result<(), Obstacle> {
        if call.to != self.vault {
            return Ok(());
        }
        let from = self.submitter.address();
        match self.nodes.trial(from, call.input.clone(), call.gas_limit).await {
            Ok(None) => Ok(()),
            Ok(Some(revert)) => {
                let words = trial::words(&revert);
                warn!(nonce, revert = %words, "the vault would revert; nothing is sent");
                Err(trial::obstacle(&revert))
            }
            Err(error) => {
                warn!(%error, nonce, "transaction not tried out");
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
            reach("before-broadcast");
            let sent = nodes.send(&raw).await;
            reach("after-broadcast");
            match sent {
                Ok(hash) => debug!(%hash, nonce, "transaction accepted by a node"),
                Err(error) => warn!(%error, nonce, "no node confirmed a transaction"),
            }
        });
    }
}
