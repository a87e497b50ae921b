//! The EVM node of a test: Anvil, or Hardhat where the environment says so.

use super::{Anvil, AnvilOptions, Hardhat};
use crate::{process::Server, rpc::Rpc};
use anyhow::{Result, bail};
use std::env;

/// The variable that chooses the node: `anvil` (the default) or `hardhat`.
const CHOICE: &str = "SOVR_TEST_NODE";

/// A running development node.
#[derive(Debug)]
pub enum Node {
    /// Foundry's.
    Anvil(Anvil),
    /// Hardhat's.
    Hardhat(Hardhat),
}

impl Node {
    /// Starts the node that the environment names.
    ///
    /// # Errors
    /// When it does not start, or there is no node of that name.
    pub fn start(options: AnvilOptions) -> Result<Self> {
        match env::var(CHOICE).as_deref().unwrap_or("anvil") {
            "anvil" => Anvil::start(options).map(Self::Anvil),
            "hardhat" => Hardhat::start(&options).map(Self::Hardhat),
            other => bail!("{CHOICE} is {other:?}: anvil or hardhat"),
        }
    }

    /// Where it answers: `http://…`.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Anvil(node) => node.url(),
            Self::Hardhat(node) => node.url(),
        }
    }

    /// Where it answers: `ws://…`.
    #[must_use]
    pub fn ws_url(&self) -> String {
        match self {
            Self::Anvil(node) => node.ws_url(),
            Self::Hardhat(node) => node.ws_url(),
        }
    }

    /// A client for it.
    #[must_use]
    pub fn rpc(&self) -> Rpc {
        Rpc::new(self.url())
    }

    /// The process, to pause, resume, kill or read the log of.
    #[must_use]
    pub fn server(&mut self) -> &mut Server {
        match self {
            Self::Anvil(node) => node.server(),
            Self::Hardhat(node) => node.server(),
        }
    }

    /// For what Anvil alone can do.
    ///
    /// # Errors
    /// When it is another node.
    pub fn anvil(&mut self) -> Result<&mut Anvil> {
        match self {
            Self::Anvil(node) => Ok(node),
            Self::Hardhat(_) => bail!("only Anvil can do this"),
        }
    }
}
