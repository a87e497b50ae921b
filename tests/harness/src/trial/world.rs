//! Everything that a trial runs on: node, ledger, vault, three signers and the daemon.

use crate::{
    config::{DaemonConfig, Parts},
    contracts::{self, DeployOptions, Deployment, Token},
    judge::{self, Question},
    keys::{Role, SIGNERS},
    port,
    process::{Launch, Lifetime},
    servers::{Anvil, AnvilOptions, Mining, Sovrd, TigerBeetle, TigerBeetleOptions},
    temp::TempDir,
    trial::cluster::Cluster,
    vault::Vault,
    wallet::Wallet,
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Long enough for a busy machine, short enough to notice a hang.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// Blocks come by themselves, as on a real chain, and are final after a while.
const BLOCK_TIME: Duration = Duration::from_millis(250);
const CONFIRMATIONS: u64 = 3;

/// The ledger's servers.
#[derive(Debug)]
pub enum Backing {
    /// One replica.
    One(Box<TigerBeetle>),
    /// Five, started as operators start them.
    Five(Cluster),
}

/// One of the bridge's own processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `sovrd run`, the submitter in it.
    Daemon,
    /// `sovrd sign`, by its number.
    Signer(usize),
}

/// All of it. Fields are dropped in order: the daemon before its servers.
#[derive(Debug)]
pub struct World {
    /// The daemon.
    pub daemon: Sovrd,
    /// Two of these three must sign.
    pub signers: Vec<Sovrd>,
    /// The node.
    pub anvil: Anvil,
    /// The ledger.
    pub ledger: Backing,
    /// The vault and its tokens.
    pub deployment: Deployment,
    /// The vault, as users call it.
    pub vault: Vault,
    /// The daemon's configuration.
    pub config: DaemonConfig,
    /// Files of this world.
    pub dir: TempDir,
}

impl World {
    /// One with a ledger of one replica, or of five.
    ///
    /// # Errors
    /// When a part does not start.
    pub fn start(program: &Path, is_cluster: bool) -> Result<Self> {
        let dir = TempDir::new("trial")?;
        let anvil = Anvil::start(AnvilOptions {
            mining: Mining::Every(BLOCK_TIME),
            state: Some(dir.path().join("chain.json")),
            ..AnvilOptions::default()
        })?;
        let ledger = if is_cluster {
            Backing::Five(Cluster::start(&dir.path().join("cluster"))?)
        } else {
            Backing::One(Box::new(TigerBeetle::start(TigerBeetleOptions::default())?))
        };
        let deployment = contracts::deploy(&anvil.rpc(), &DeployOptions::two_of_three()?)?;
        let mut config = DaemonConfig::development(Parts {
            deployment: &deployment,
            rpc_url: &anvil.url(),
            ws_url: Some(&anvil.ws_url()),
            cluster_id: ledger.cluster_id(),
            ledger_addresses: &ledger.addresses(),
            api_port: port::free()?,
            folder: dir.path(),
        })?;
        config.chain.confirmations = CONFIRMATIONS;
        let mut signers = Vec::new();
        for role in SIGNERS {
            let folder = dir.path().join(role.name());
            let signer = config.add_signer(role, &folder)?;
            signers.push(spawn(program, "sign", &signer, &folder)?);
        }
        let daemon = spawn(program, "run", &config, dir.path())?;
        let vault = Vault::new(&anvil.rpc(), &deployment);
        let mut world = Self { daemon, signers, anvil, ledger, deployment, vault, config, dir };
        for part in &mut world.signers {
            part.wait_ready(PATIENCE)?;
        }
        world.daemon.wait_ready(PATIENCE)?;
        Ok(world)
    }

    /// The process that plays this part.
    ///
    /// # Errors
    /// When there is no such signer.
    pub fn part(&mut self, part: Part) -> Result<&mut Sovrd> {
        match part {
            Part::Daemon => Ok(&mut self.daemon),
            Part::Signer(n) => self.signers.get_mut(n).context("no such signer"),
        }
    }

    /// The file that names the fail point of a part.
    #[must_use]
    pub fn point_file(&self, part: Part) -> PathBuf {
        let folder = match part {
            Part::Daemon => self.dir.path().to_path_buf(),
            Part::Signer(n) => {
                let role = SIGNERS.get(n).copied().unwrap_or(Role::PayoutSigner);
                self.dir.path().join(role.name())
            }
        };
        folder.join("fail-point")
    }

    /// A user's or operator's wallet.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn wallet(&self, role: Role) -> Result<Wallet> {
        Wallet::new(&self.anvil.rpc(), role.signer()?)
    }

    /// A listed token.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn token(&self, symbol: &str) -> Result<Token> {
        self.deployment.token(symbol).cloned()
    }

    /// Waits until chain and ledger agree, every withdrawal has ended, and the daemon is well.
    ///
    /// # Errors
    /// What is still not as it must be after `limit`.
    pub fn settle(&mut self, limit: Duration) -> Result<Value> {
        let (rpc, id) = (self.anvil.url(), self.ledger.cluster_id());
        let addresses = self.ledger.addresses();
        let mut question = Question::about(&rpc, &self.deployment, id, &addresses);
        question.confirmations = self.config.chain.confirmations;
        question.settled = true;
        let report = judge::check(&question, limit);
        let report = report.map_err(|error| self.daemon.server().with_log(&error))?;
        self.daemon.wait_ready(limit)?;
        let halted = self.status()?["halted"].clone();
        ensure!(halted.is_null(), "the daemon halted: {halted:#}");
        Ok(report)
    }

    /// The daemon's `/v1/status`.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn status(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.daemon.get("/v1/status")?.body)?)
    }
}

impl Backing {
    /// All replicas, in order.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        match self {
            Self::One(ledger) => vec![ledger.address()],
            Self::Five(cluster) => cluster.addresses(),
        }
    }

    /// The cluster's id.
    #[must_use]
    pub fn cluster_id(&self) -> u128 {
        match self {
            Self::One(ledger) => ledger.cluster_id(),
            Self::Five(cluster) => cluster.cluster_id(),
        }
    }
}

/// Starts `sovrd <command>` with its configuration, log and fail point in `folder`.
fn spawn(program: &Path, command: &str, config: &DaemonConfig, folder: &Path) -> Result<Sovrd> {
    fs::create_dir_all(folder)?;
    let file = folder.join("sovrd.toml");
    config.write(&file)?;
    let launch = Launch {
        name: format!("sovrd {command}"),
        program: program.to_owned(),
        args: vec![command.into(), "--config".into(), file.into()],
        env: vec![("SOVR_FAIL_POINT".to_owned(), folder.join("fail-point").display().to_string())],
        log: folder.join("sovrd.log"),
        lifetime: Lifetime::Owned,
    };
    Sovrd::start_with(launch, &config.api_url())
}
