//! Compiles small contracts for tests, with the project's own compiler.

use crate::{paths, wallet::Wallet};
use alloy::primitives::Address;
use anyhow::{Context, Result, anyhow, bail};
use foundry_compilers::{
    artifacts::{EvmVersion, SolcInput, Source, Sources},
    solc::{Solc, SolcLanguage},
};
use std::path::PathBuf;

/// The creation code of one contract of a source text that imports nothing.
///
/// # Errors
/// When it does not compile; with the compiler's messages.
pub fn compile(source: &str, contract: &str) -> Result<Vec<u8>> {
    let path = PathBuf::from("Test.sol");
    let sources = Sources::from_iter([(path.clone(), Source::new(source))]);
    let mut input = SolcInput { language: SolcLanguage::Solidity, sources, ..SolcInput::default() };
    input.settings.evm_version = Some(EvmVersion::Cancun);
    let solc = Solc::new(paths::root().join("scripts/tools/solc"))?;
    let output = solc.compile(&input).context("the Solidity compiler")?;
    if output.has_error() {
        bail!("{contract} does not compile: {:?}", output.errors);
    }
    let compiled = output
        .contracts
        .get(&path)
        .and_then(|contracts| contracts.get(contract))
        .and_then(|contract| contract.evm.as_ref())
        .and_then(|evm| evm.bytecode.as_ref())
        .and_then(|code| code.object.as_bytes())
        .ok_or_else(|| anyhow!("the compiler left no code for {contract}"))?;
    Ok(compiled.to_vec())
}

/// Creates a contract.
///
/// # Errors
/// When the transaction fails.
pub fn deploy(wallet: &Wallet, code: Vec<u8>) -> Result<Address> {
    let receipt = wallet.execute(None, 0, code)?;
    receipt.contract_address.ok_or_else(|| anyhow!("the receipt names no contract"))
}
