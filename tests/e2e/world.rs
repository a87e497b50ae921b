//! A world for one test: node, ledger, vault, daemon and judge.

use alloy::primitives::{Address, B256};
use anyhow::{Context, Result, bail};
use harness::{
    config::{DaemonConfig, Parts},
    contracts::{self, DeployOptions, Deployment, Token},
    judge::{self, Question},
    keys::{Role, SIGNERS},
    paths, port,
    process::{Launch, Lifetime},
    rpc::Rpc,
    servers::{AnvilOptions, Node, Sovrd, TigerBeetle, TigerBeetleOptions},
    temp::TempDir,
    vault::Vault,
    wait,
    wallet::Wallet,
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

/// Long enough for a busy machine, short enough to notice a hang.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// One ether in wei.
pub const ETHER: u128 = 1_000_000_000_000_000_000;
/// One dollar of the test token.
pub const DOLLAR: u128 = 1_000_000;
/// Validity of requests that shall be paid, seconds.
pub const VALID: u64 = 3_600;

/// The daemon that `cargo test` just built.
pub fn daemon() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_sovrd"))
}

/// Everything a test needs. Fields are dropped in order: the daemon before its servers.
pub struct World {
    pub sovrd: Option<Sovrd>,
    pub node: Node,
    pub ledger: TigerBeetle,
    pub deployment: Deployment,
    pub vault: Vault,
    pub config: DaemonConfig,
    pub dir: TempDir,
    /// Payout signers in processes of their own.
    pub signers: Vec<Sovrd>,
}

impl World {
    /// Servers and a vault, but no daemon yet.
    pub fn new() -> Result<Self> {
        Self::with(AnvilOptions::default())
    }

    pub fn with(options: AnvilOptions) -> Result<Self> {
        let ledger = TigerBeetle::start(TigerBeetleOptions::default())?;
        let node = Node::start(options)?;
        let deployment = contracts::deploy(&node.rpc(), &DeployOptions::development()?)?;
        let dir = TempDir::new("e2e")?;
        let config = DaemonConfig::development(Parts {
            deployment: &deployment,
            rpc_url: &node.url(),
            ws_url: Some(&node.ws_url()),
            cluster_id: ledger.cluster_id(),
            ledger_addresses: &[ledger.address()],
            api_port: port::free()?,
            folder: dir.path(),
        })?;
        let vault = Vault::new(&node.rpc(), &deployment);
        let signers = Vec::new();
        Ok(Self { sovrd: None, node, ledger, deployment, vault, config, dir, signers })
    }

    /// Two of three signers in processes of their own must sign; `change` their configurations. No
    /// daemon yet.
    pub fn with_signers(
        mut change: impl FnMut(usize, &mut DaemonConfig) -> Result<()>,
    ) -> Result<Self> {
        let mut world = Self::new()?;
        let addresses: Vec<Address> = SIGNERS.into_iter().map(address).collect();
        world.vault.set_signers(&world.wallet(Role::Admin)?, &addresses, 2)?;
        for (n, role) in SIGNERS.into_iter().enumerate() {
            let folder = world.dir.path().join(role.name());
            let mut config = world.config.add_signer(role, &folder)?;
            change(n, &mut config)?;
            let (path, log) = (folder.join("signer.toml"), folder.join("signer.log"));
            config.write(&path)?;
            let (url, lifetime) = (config.api_url(), Lifetime::Owned);
            world.signers.push(Sovrd::start_signer(&daemon(), &path, &url, &log, lifetime)?);
        }
        for signer in &mut world.signers {
            signer.wait_ready(PATIENCE)?;
        }
        Ok(world)
    }

    /// With a daemon that is ready.
    pub fn running() -> Result<Self> {
        let mut world = Self::new()?;
        world.start()?;
        Ok(world)
    }

    pub fn rpc(&self) -> Rpc {
        self.node.rpc()
    }

    pub fn wallet(&self, role: Role) -> Result<Wallet> {
        Wallet::new(&self.rpc(), role.signer()?)
    }

    pub fn token(&self, symbol: &str) -> Result<Token> {
        self.deployment.token(symbol).cloned()
    }

    pub fn config_path(&self) -> PathBuf {
        self.dir.path().join("sovrd.toml")
    }

    /// Writes the configuration and starts the daemon; waits until it is ready.
    pub fn start(&mut self) -> Result<()> {
        self.spawn(&daemon(), vec![])?;
        self.ready()
    }

    pub fn ready(&mut self) -> Result<()> {
        self.sovrd.as_mut().context("no daemon")?.wait_ready(PATIENCE)
    }

    /// Starts a daemon without waiting for anything.
    pub fn spawn(&mut self, binary: &Path, env: Vec<(String, String)>) -> Result<()> {
        self.config.write(&self.config_path())?;
        let launch = Launch {
            name: "sovrd".into(),
            program: binary.to_owned(),
            args: vec!["run".into(), "--config".into(), self.config_path().into()],
            env,
            log: self.dir.path().join("sovrd.log"),
            lifetime: Lifetime::Owned,
        };
        self.sovrd = Some(Sovrd::start_with(launch, &self.config.api_url())?);
        Ok(())
    }

    /// Stops the daemon in order and tells its exit code.
    pub fn stop(&mut self) -> Result<Option<i32>> {
        let mut sovrd = self.sovrd.take().context("no daemon")?;
        Ok(sovrd.terminate(PATIENCE)?.code())
    }

    /// Runs the daemon's program with other arguments, to its end.
    pub fn cli(&self, arguments: &[&str]) -> Result<Output> {
        self.config.write(&self.config_path())?;
        let mut command = Command::new(daemon());
        command.args(arguments).arg("--config").arg(self.config_path());
        Ok(command.output()?)
    }

    /// The one item that a reference names.
    pub fn item(&self, reference: &str) -> Result<Value> {
        let sovrd = self.sovrd.as_ref().context("no daemon")?;
        let answer = sovrd.get(&format!("/v1/transfers/{reference}"))?;
        if answer.status != 200 {
            bail!("{reference}: {} {}", answer.status, answer.body);
        }
        let page: Value = serde_json::from_str(&answer.body)?;
        let [item] = page["items"].as_array().map_or(&[][..], Vec::as_slice) else {
            bail!("{reference}: not one item in {page}");
        };
        Ok(item.clone())
    }

    /// Waits until a reference has this state.
    pub fn wait_state(&self, reference: &str, state: &str) -> Result<Value> {
        let mut last = Value::Null;
        let waited = wait::until(&format!("{reference} to be {state}"), PATIENCE, || {
            last = self.item(reference)?;
            Ok((last["state"] == state).then(|| last.clone()))
        });
        waited.with_context(|| format!("last seen: {last:#}\n{}", self.log_tail()))
    }

    pub fn wait_withdrawal(&self, id: B256, state: &str) -> Result<Value> {
        self.wait_state(&format!("withdrawal:{id}"), state)
    }

    /// Asks the judge until chain and ledger agree.
    pub fn judge(&self) -> Result<Value> {
        let addresses = [self.ledger.address()];
        let (rpc, id) = (self.node.url(), self.ledger.cluster_id());
        let mut question = Question::about(&rpc, &self.deployment, id, &addresses);
        question.confirmations = self.config.chain.confirmations;
        judge::check(&question, PATIENCE).with_context(|| self.log_tail())
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.dir.path().join("sovrd.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("sovrd.log")).unwrap_or_default()
    }
}

pub fn address(role: Role) -> Address {
    role.address().unwrap()
}

/// The daemon with fail points: `scripts/failpoints` builds it into a target folder of its own, and
/// is quick when nothing changed.
pub fn daemon_with_failpoints() -> Result<PathBuf> {
    let plain = daemon();
    let target = plain.ancestors().nth(2).context("a program in target/debug")?;
    let script = paths::root().join("scripts/failpoints");
    let output = Command::new(script).env("CARGO_TARGET_DIR", target).output()?;
    if !output.status.success() {
        bail!("no daemon with fail points: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(target.join("failpoints/debug/sovrd"))
}
