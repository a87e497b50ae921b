//! What a signer reads by itself: the ledger first, then its node at a final block taken after that,
//! then what has left VAULT meanwhile.

use super::{NotSigned, Signer};
use crate::chain::{
    error::ReadError,
    holdings,
    node::Node,
    search::{self, Enough, Scope},
};
use alloy::{primitives::B256, rpc::types::Filter};
use bridge_core::{
    account::{NewAccount, VAULT},
    block::{BlockNumber, Seq},
    event::ContractState,
    id::{AccountId, TransferId},
    posting::WithdrawalIds,
    signing::{self, Ask, ChainSide, LedgerSide, Refusal},
    transfer::FoundTransfer,
    vault_event::{Request, VaultEvent},
};
use std::collections::BTreeMap;

/// Requests that a signer keeps in mind.
const KNOWN_MAX: usize = 10_000;

/// What a signer knows of where requests are, by withdrawal: they are final, so they stay there.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<B256, Place>);

#[derive(Clone, Copy, Debug)]
enum Place {
    Found(Seq, Request),
    /// Not in this block or above it.
    Below(BlockNumber),
}

impl Known {
    fn note(&mut self, id: B256, place: Place) {
        // It only saves time: whoever fills it up makes others wait a little.
        if self.0.len() >= KNOWN_MAX && !self.0.contains_key(&id) {
            self.0.clear();
        }
        self.0.insert(id, place);
    }
}

impl Signer {
    /// Judges by what one endpoint says.
    pub(super) async fn judge_by(&self, node: &Node, ask: Ask) -> Result<(), NotSigned> {
        let (seq, request) = self.request(node, ask.id).await?;
        let vault = AccountId::vault_chart(request.ledger, self.instance, VAULT.number);
        let ids = WithdrawalIds::of(self.instance, seq);
        let found = self.ledger.lookup_transfers(&[ids.main, ids.resolve]).await?;
        let debits = self.ledger.lookup_accounts(&[vault]).await?;
        if debits.is_empty() {
            return Err(NotSigned::OtherLedger);
        }
        let chain = chain_side(node, ask, (seq, request)).await?;
        let credits = self.ledger.lookup_accounts(&[vault]).await?;
        let held = debits.first().zip(credits.first());
        let held = held.map(|(d, c)| d.debits_posted().saturating_sub(c.credits_posted()));
        let of = |id: TransferId| found.iter().find(|t: &&FoundTransfer| t.id == id).copied();
        let ledger =
            LedgerSide { pending: of(ids.main), resolve: of(ids.resolve), vault_held: held };
        signing::check(&self.domain, self.instance, ask, &chain, &ledger)
            .map_err(NotSigned::Refused)
    }

    /// The final request with this id. One that is old may take several searches.
    async fn request(&self, node: &Node, id: B256) -> Result<(Seq, Request), NotSigned> {
        let known = self.known.lock().await.0.get(&id).copied();
        if let Some(Place::Found(seq, request)) = known {
            return Ok((seq, request));
        }
        let head = node.final_head().await?.block;
        let nobody = NotSigned::Refused(Refusal::NoFinalRequest);
        if matches!(node.state(id, head.hash).await?, None | Some(ContractState::None)) {
            return Err(nobody);
        }
        let below = match known {
            Some(Place::Below(number)) => number,
            Some(Place::Found(..)) | None => head.number.plus(1),
        };
        let (deployed, size) = (self.deployed, self.range_blocks_max);
        let scope = Scope { deployed, latest: head.number, before: Some(below), size };
        let is_request = |event: &VaultEvent| matches!(event, VaultEvent::Requested(_));
        let filter = Filter::new().topic1(id);
        let found = search::backwards(node, &filter, scope, |logs| {
            let first = logs.first().map(|shown| shown.log.event);
            if first.as_ref().is_some_and(is_request) { Enough::Entirely } else { Enough::No }
        });
        let found = found.await?;
        let first = found.logs.first().map(|shown| (shown.log.seq, shown.log.event));
        let mut known = self.known.lock().await;
        if let Some((seq, VaultEvent::Requested(request))) = first {
            known.note(id, Place::Found(seq, request));
            return Ok((seq, request));
        }
        if found.is_complete {
            return Err(nobody);
        }
        known.note(id, Place::Below(found.from));
        Err(NotSigned::Searching(found.from))
    }

    /// True if enough nodes and the ledger answer. That a daemon has claimed the ledger for this vault is
    /// not waited for: it may start later. Until then nothing is signed.
    pub(super) async fn is_ready(&self) -> Result<(), NotSigned> {
        let mut answering = 0_usize;
        let mut last = None;
        for node in self.nodes.all() {
            match node.final_head().await {
                Ok(_) => answering = answering.saturating_add(1),
                Err(error) => last = Some(error),
            }
        }
        if let Some(error) = last.filter(|_| answering < self.quorum) {
            return Err(error.into());
        }
        self.ledger.lookup_accounts(&[self.registry()]).await?;
        Ok(())
    }

    /// The instance's entry in the ledger: without it this is another ledger.
    pub(super) fn registry(&self) -> AccountId {
        NewAccount::instance_registry(self.instance_key, self.instance).id
    }
}

async fn chain_side(
    node: &Node,
    ask: Ask,
    (seq, request): (Seq, Request),
) -> Result<ChainSide, ReadError> {
    let head = node.final_head().await?;
    let at = head.block.hash;
    let (state, listing, holdings, paused_until) = tokio::try_join!(
        node.state(ask.id, at),
        node.listing(request.token, at),
        holdings::of(node, node.vault(), at, request.token),
        node.paused_until(at),
    )?;
    Ok(ChainSide {
        time: head.timestamp,
        request: Some((seq, request)),
        state,
        listing,
        holdings,
        paused_until,
    })
}
