//! Deploys the vault with the script that people use, and reads back what came of it.

use crate::{
    keys::{Role, SIGNERS},
    paths,
    rpc::Rpc,
    temp::TempDir,
};
use alloy::{
    primitives::{Address, B256, Bytes, Log, address},
    sol,
    sol_types::{SolCall, SolEvent},
};
use anyhow::{Context, Result, anyhow, bail};
use bridge_core::id::Identity;
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

const SCRIPT: &str = "contracts/script/Deploy.s.sol";

/// The address that stands for ether in the vault.
pub const ETHER: Address = address!("0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE");

sol! {
    event TokenListed(
        address indexed token,
        uint32 indexed ledger,
        uint64 seq,
        uint128 scaleDivisor,
        uint8 decimals,
        bool creditsMeasuredDelta
    );

    function symbol() external view returns (string);
}

/// Who plays which part in a fresh vault, and its limits.
#[derive(Clone, Debug)]
pub struct DeployOptions {
    /// Administers the vault.
    pub admin: Address,
    /// May pause it.
    pub pauser: Address,
    /// May veto large payouts.
    pub guardian: Address,
    /// Sign payouts and refusals.
    pub signers: Vec<Address>,
    /// How many of them must sign.
    pub threshold: u64,
    /// Least seconds from a request to its deadline.
    pub min_deadline_s: u64,
    /// Most seconds from a request to its deadline.
    pub max_deadline_s: u64,
    /// Most requests an owner may have open.
    pub max_open_withdrawals: u32,
}

impl DeployOptions {
    /// The development keys in their parts, with one payout signer.
    ///
    /// # Errors
    /// As for [`Role::address`].
    pub fn development() -> Result<Self> {
        Ok(Self {
            admin: Role::Admin.address()?,
            pauser: Role::Pauser.address()?,
            guardian: Role::Guardian.address()?,
            signers: vec![Role::PayoutSigner.address()?],
            threshold: 1,
            min_deadline_s: 60,
            max_deadline_s: 7 * 86_400,
            max_open_withdrawals: 16,
        })
    }
}

impl DeployOptions {
    /// As for development, but two of three payout signers must sign.
    ///
    /// # Errors
    /// As for [`Role::address`].
    pub fn two_of_three() -> Result<Self> {
        let signers = SIGNERS.into_iter().map(Role::address).collect::<Result<_>>()?;
        Ok(Self { signers, threshold: 2, ..Self::development()? })
    }
}

/// A token that the vault lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The token's own name for itself, `ETH` for ether.
    pub symbol: String,
    /// Its contract, or [`ETHER`].
    pub address: Address,
    /// Decimal places of its units.
    pub decimals: u8,
    /// Its ledger.
    pub ledger: u32,
    /// Token units in one ledger unit.
    pub scale_divisor: u128,
}

/// A vault on a chain.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The vault.
    pub vault: Address,
    /// Keccak-256 of its runtime code.
    pub vault_code_hash: B256,
    /// The block that created it.
    pub deploy_block: u64,
    /// The instance number (`docs/encoding.md`, section 1).
    pub instance: u32,
    /// What it lists, in the order of listing.
    pub tokens: Vec<Token>,
}

impl Deployment {
    /// The listed token of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn token(&self, symbol: &str) -> Result<&Token> {
        let found = self.tokens.iter().find(|token| token.symbol == symbol);
        found.ok_or_else(|| anyhow!("the vault lists no token named {symbol}"))
    }
}

/// Deploys a vault, and a test token where the chain is a development one. The node must be making
/// blocks.
///
/// # Errors
/// When the script fails; with what it said.
pub fn deploy(rpc: &Rpc, options: &DeployOptions) -> Result<Deployment> {
    let dir = TempDir::new("deploy")?;
    run_script(rpc, options, dir.path())?;
    let (vault, block) = created(&broadcast(rpc, dir.path())?)?;
    describe(rpc, vault, block)
}

/// Reads back a vault that somebody deployed.
///
/// # Errors
/// When there is no vault there, or the node does not answer.
pub fn describe(rpc: &Rpc, vault: Address, deploy_block: u64) -> Result<Deployment> {
    let chain_id = rpc.chain_id()?;
    let vault_code_hash = rpc.code_hash(vault)?;
    let identity = Identity {
        chain_id,
        genesis: rpc.block_hash(0)?,
        vault,
        code_hash: vault_code_hash,
        deploy_block_hash: rpc.block_hash(deploy_block)?,
    };
    let instance = identity.key().instance().ok_or_else(|| anyhow!("the instance number is 0"))?;
    let tokens = tokens(rpc, vault, deploy_block)?;
    let instance = instance.get();
    Ok(Deployment { chain_id, vault, vault_code_hash, deploy_block, instance, tokens })
}

fn run_script(rpc: &Rpc, options: &DeployOptions, broadcast: &Path) -> Result<()> {
    let mut forge = Command::new(paths::tool("forge")?);
    forge.current_dir(paths::root()).args(["script", SCRIPT, "--broadcast", "--non-interactive"]);
    forge.args(["--rpc-url", rpc.url(), "--private-key", &Role::Admin.private_key().to_string()]);
    forge.env("FOUNDRY_PROFILE", "default").env("FOUNDRY_BROADCAST", broadcast);
    forge.envs(variables(options));
    // Forge processes that compile at the same time spoil each other's output.
    let lock = File::create(lock_file()?)?;
    lock.lock()?;
    let output = forge.output().context("cannot run forge")?;
    lock.unlock()?;
    if output.status.success() {
        return Ok(());
    }
    let (said, erred) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    bail!("forge script {SCRIPT} failed ({}):\n{said}{erred}", output.status)
}

fn lock_file() -> Result<std::path::PathBuf> {
    fs::create_dir_all(paths::local())?;
    Ok(paths::local().join("forge.lock"))
}

fn variables(options: &DeployOptions) -> [(&'static str, String); 8] {
    let signers: Vec<String> = options.signers.iter().map(Address::to_string).collect();
    [
        ("SOVR_ADMIN", options.admin.to_string()),
        ("SOVR_PAUSER", options.pauser.to_string()),
        ("SOVR_GUARDIAN", options.guardian.to_string()),
        ("SOVR_SIGNERS", signers.join(",")),
        ("SOVR_THRESHOLD", options.threshold.to_string()),
        ("SOVR_MIN_DEADLINE", options.min_deadline_s.to_string()),
        ("SOVR_MAX_DEADLINE", options.max_deadline_s.to_string()),
        ("SOVR_MAX_OPEN_WITHDRAWALS", options.max_open_withdrawals.to_string()),
    ]
}

fn broadcast(rpc: &Rpc, folder: &Path) -> Result<Value> {
    let chain_id = rpc.chain_id()?.to_string();
    let path = folder.join("Deploy.s.sol").join(chain_id).join("run-latest.json");
    let text = fs::read_to_string(&path)
        .with_context(|| format!("forge left no {}: did it broadcast?", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// Address and block of the vault in forge's record of what it broadcast.
fn created(record: &Value) -> Result<(Address, u64)> {
    let list = |name: &str| record[name].as_array().cloned().unwrap_or_default();
    let transaction = list("transactions")
        .into_iter()
        .find(|t| t["transactionType"] == "CREATE" && t["contractName"] == "Vault")
        .ok_or_else(|| anyhow!("the deployment script created no contract named Vault"))?;
    // By the address, not the transaction hash: under load forge's record has been seen to hold
    // another creation's hash here.
    let receipt = list("receipts")
        .into_iter()
        .find(|r| r["contractAddress"] == transaction["contractAddress"])
        .ok_or_else(|| anyhow!("forge recorded no receipt for the vault's creation"))?;
    let address = transaction["contractAddress"].as_str().unwrap_or_default().parse()?;
    let block = receipt["blockNumber"].as_str().unwrap_or_default();
    Ok((address, u64::from_str_radix(block.trim_start_matches("0x"), 16)?))
}

fn tokens(rpc: &Rpc, vault: Address, deploy_block: u64) -> Result<Vec<Token>> {
    let filter = json!([{
        "address": vault,
        "fromBlock": format!("{deploy_block:#x}"),
        "topics": [TokenListed::SIGNATURE_HASH],
    }]);
    let logs: Vec<Log> = serde_json::from_value(rpc.call("eth_getLogs", &filter)?)?;
    logs.iter().map(|log| token(rpc, &TokenListed::decode_log(log)?.data)).collect()
}

fn token(rpc: &Rpc, listed: &TokenListed) -> Result<Token> {
    Ok(Token {
        symbol: symbol(rpc, listed.token)?,
        address: listed.token,
        decimals: listed.decimals,
        ledger: listed.ledger,
        scale_divisor: listed.scaleDivisor,
    })
}

fn symbol(rpc: &Rpc, token: Address) -> Result<String> {
    if token == ETHER {
        return Ok("ETH".to_owned());
    }
    let data = Bytes::from(symbolCall {}.abi_encode());
    let answer = rpc.call("eth_call", &json!([{"to": token, "data": data}, "latest"]))?;
    let answer: Bytes = serde_json::from_value(answer)?;
    Ok(symbolCall::abi_decode_returns(&answer)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::{Anvil, AnvilOptions};

    #[test]
    fn deploys_and_describes_the_vault() {
        let anvil = Anvil::start(AnvilOptions::default()).unwrap();
        let deployment = deploy(&anvil.rpc(), &DeployOptions::development().unwrap()).unwrap();
        let ether = deployment.token("ETH").unwrap();
        assert_eq!((ether.ledger, ether.scale_divisor), (1001, 10_000_000_000));
        let dollar = deployment.token("TUSD").unwrap();
        assert_eq!((dollar.ledger, dollar.scale_divisor, dollar.decimals), (1002, 10_000, 6));
        assert!(deployment.deploy_block > 0);
    }
}
