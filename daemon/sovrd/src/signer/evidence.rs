//! What a signer reads by itself: the ledger first, then its node at a final block taken after that.

use super::{NotSigned, Signer};
use crate::chain::{
    error::ReadError,
    holdings,
    node::Node,
    search::{self, Enough},
};
use alloy::rpc::types::Filter;
use bridge_core::{
    account::VAULT,
    block::{Header, Seq},
    id::AccountId,
    posting::WithdrawalIds,
    signing::{self, Ask, ChainSide, LedgerSide, Refusal},
    vault_event::{Request, VaultEvent},
};

impl Signer {
    /// Judges by what one endpoint says.
    pub(super) async fn judge_by(&self, node: &Node, ask: Ask) -> Result<(), NotSigned> {
        let head = node.final_head().await?;
        let found = self.request(node, ask, head).await?;
        let (seq, request) = found.ok_or(NotSigned::Refused(Refusal::NoFinalRequest))?;
        let ledger = self.ledger_side(seq, &request).await?;
        let chain = chain_side(node, ask, (seq, request)).await?;
        signing::check(&self.domain, self.instance, ask, &chain, &ledger)
            .map_err(NotSigned::Refused)
    }

    /// The final request with this id.
    async fn request(
        &self,
        node: &Node,
        ask: Ask,
        head: Header,
    ) -> Result<Option<(Seq, Request)>, ReadError> {
        let filter = Filter::new().topic1(ask.id);
        let scope = self.scope(head.block.number);
        let found = search::backwards(node, &filter, scope, |logs| {
            if logs.is_empty() { Enough::No } else { Enough::Entirely }
        });
        let logs = found.await?.logs;
        Ok(logs.iter().find_map(|shown| match shown.log.event {
            VaultEvent::Requested(request) => Some((shown.log.seq, request)),
            VaultEvent::Listed(_)
            | VaultEvent::Delisted(_)
            | VaultEvent::Deposited(_)
            | VaultEvent::Withdrawal(_)
            | VaultEvent::Claimed
            | VaultEvent::NonceInvalidated => None,
        }))
    }

    /// True if node and ledger answer.
    pub(super) async fn is_ready(&self) -> Result<(), NotSigned> {
        let nodes = self.nodes.all();
        let mut answering = 0_usize;
        let mut last = None;
        for node in nodes {
            match node.final_head().await {
                Ok(_) => answering = answering.saturating_add(1),
                Err(error) => last = Some(error),
            }
        }
        if let Some(error) = last.filter(|_| answering < self.quorum) {
            return Err(error.into());
        }
        self.ledger.lookup_transfers(&[WithdrawalIds::of(self.instance, Seq(1)).main]).await?;
        Ok(())
    }

    async fn ledger_side(&self, seq: Seq, request: &Request) -> Result<LedgerSide, NotSigned> {
        let ids = WithdrawalIds::of(self.instance, seq);
        let found = self.ledger.lookup_transfers(&[ids.main, ids.resolve]).await?;
        let vault = AccountId::vault_chart(request.ledger, self.instance, VAULT.number);
        let vault = self.ledger.lookup_accounts(&[vault]).await?;
        let free = vault.first().and_then(|account| {
            let held = account.debits_posted().checked_sub(account.credits_posted())?;
            held.checked_sub(account.credits_pending())
        });
        let of = |id| found.iter().find(|t| t.id == id).copied();
        Ok(LedgerSide { pending: of(ids.main), resolve: of(ids.resolve), vault_free: free })
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
        block: head.block,
        time: head.timestamp,
        request: Some((seq, request)),
        state,
        listing,
        holdings,
        paused_until,
    })
}
