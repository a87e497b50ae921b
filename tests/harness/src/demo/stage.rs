//! Who acts in the demo, and on what.

use super::{amount, screen::Screen, transfers};
use crate::{
    contracts::{self, Deployment, Token},
    keys::{ROLES, Role},
    rpc::Rpc,
    stack::StackFile,
    vault::Vault,
    wallet::Wallet,
};
use alloy::primitives::Address;
use anyhow::{Context, Result};

/// Everything that the story needs.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) screen: &'a Screen,
    pub(super) rpc: Rpc,
    pub(super) vault: Vault,
    pub(super) deployment: Deployment,
    pub(super) ether: Token,
    pub(super) dollar: Token,
    api: String,
}

impl<'a> Stage<'a> {
    pub(super) fn open(screen: &'a Screen, file: &StackFile) -> Result<Self> {
        let rpc = Rpc::new(&file.rpc_url);
        let deployment = contracts::describe(&rpc, file.vault, file.deploy_block)?;
        Ok(Self {
            screen,
            vault: Vault::new(&rpc, &deployment),
            ether: deployment.token("ETH")?.clone(),
            dollar: deployment.token("TUSD")?.clone(),
            api: file.api_url.clone().context("the stack has no daemon")?,
            rpc,
            deployment,
        })
    }

    /// Where everything is.
    pub(super) fn introduce(&self) {
        let Deployment { chain_id, vault, .. } = &self.deployment;
        let lines = [
            format!("   node    {} (chain {chain_id})", self.rpc.url()),
            format!("   vault   {vault}"),
            format!("   api     {}", self.api),
            format!("   tokens  {}, {}", self.listing(&self.ether), self.listing(&self.dollar)),
        ];
        self.screen.text(&lines.join("\n"));
    }

    fn listing(&self, token: &Token) -> String {
        format!("{} (ledger {})", token.symbol, token.ledger)
    }

    pub(super) fn wallet(&self, role: Role) -> Result<Wallet> {
        Wallet::new(&self.rpc, role.signer()?)
    }

    /// Asks the daemon until `right` says so.
    pub(super) fn wait_for(
        &self,
        name: &str,
        right: impl Fn(&transfers::Item) -> bool,
    ) -> Result<transfers::Item> {
        transfers::wait_for(&self.api, name, right)
    }

    /// The amount of a ledger entry as people write it, after checking that it is the token's
    /// amount.
    pub(super) fn entry(&self, entry: &transfers::LedgerSide, token: &Token) -> Result<String> {
        let units: u128 = entry.amount.parse().context("the ledger's amount")?;
        let units = units.checked_mul(token.scale_divisor).context("the ledger's amount")?;
        Ok(amount::shown(units, token))
    }
}

/// A person's name.
pub(super) fn name(address: Address) -> String {
    let role = ROLES.into_iter().find(|role| role.address().is_ok_and(|a| a == address));
    role.map_or_else(|| address.to_string(), |role| role.name().to_owned())
}
