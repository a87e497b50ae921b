//! Everything that a trial runs on: node, ledger, vault, three signers and the daemon.

use crate::{
    config::{DaemonConfig, Parts},
    contracts::{self, DeployOptions, Deployment, Token},
    disk::Small,
    judge::{self, Question},
    keys::{Role, SIGNERS},
    port,
    process::{Launch, Lifetime},
    servers::{Anvil, AnvilOptions, Mining, Sovrd, TigerBeetle, TigerBeetleOptions},
    temp::TempDir,
    trial::{clock::Clock, cluster::Cluster},
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
const DISK_MIB: usize = 16;

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
    /// Another daemon for the same vault.
    pub second: Option<Sovrd>,
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
    /// The daemon's clock, if it has one of its own.
    pub clock: Option<Clock>,
    /// The disk of the daemon's store, if it has one of its own.
    pub disk: Option<Small>,
    /// Files of this world.
    pub dir: TempDir,
}

/// What a trial needs of its world.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// A ledger of five replicas instead of one.
    pub is_cluster: bool,
    /// The daemon's store on a small disk of its own.
    pub small_disk: bool,
    /// A daemon whose clock can be set.
    pub own_clock: bool,
}

impl World {
    /// Starts everything and waits until it is ready.
    ///
    /// # Errors
    /// When a part does not start.
    pub fn start(program: &Path, setup: Setup) -> Result<Self> {
        let dir = TempDir::new("trial")?;
        let small = || Small::mount(dir.path().join("small"), DISK_MIB);
        let disk = setup.small_disk.then(small).transpose()?;
        let clock = setup.own_clock.then(|| Clock::start(dir.path())).transpose()?;
        let anvil = Anvil::start(AnvilOptions {
            mining: Mining::Every(BLOCK_TIME),
            state: Some(dir.path().join("chain.json")),
            ..AnvilOptions::default()
        })?;
        let ledger = if setup.is_cluster {
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
        if let Some(disk) = &disk {
            config.store.path = disk.path().join("store");
        }
        let mut signers = Vec::new();
        for role in SIGNERS {
            let folder = dir.path().join(role.name());
            let signer = config.add_signer(role, &folder)?;
            signers.push(spawn(program, "sign", &signer, &folder, vec![])?);
        }
        let time = clock.as_ref().map(Clock::environment).unwrap_or_default();
        let daemon = spawn(program, "run", &config, dir.path(), time)?;
        let vault = Vault::new(&anvil.rpc(), &deployment);
        let mut world = Self {
            daemon,
            second: None,
            signers,
            anvil,
            ledger,
            deployment,
            vault,
            config,
            clock,
            disk,
            dir,
        };
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

    /// Starts another daemon for the same vault, with the same keys and a store of its own.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_second(&mut self) -> Result<()> {
        let folder = self.dir.path().join("second");
        let mut config = self.config.clone();
        config.store.path = folder.join("store");
        config.api.listen = format!("127.0.0.1:{}", port::free()?);
        let mut second = spawn(self.daemon.program(), "run", &config, &folder, vec![])?;
        second.wait_ready(PATIENCE)?;
        self.second = Some(second);
        Ok(())
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
fn spawn(
    program: &Path,
    command: &str,
    config: &DaemonConfig,
    folder: &Path,
    mut env: Vec<(String, String)>,
) -> Result<Sovrd> {
    fs::create_dir_all(folder)?;
    let file = folder.join("sovrd.toml");
    config.write(&file)?;
    let point = folder.join("fail-point").display().to_string();
    env.push(("SOVR_FAIL_POINT".to_owned(), point));
    let launch = Launch {
        name: format!("sovrd {command}"),
        program: program.to_owned(),
        args: vec![command.into(), "--config".into(), file.into()],
        env,
        log: folder.join("sovrd.log"),
        lifetime: Lifetime::Owned,
    };
    Sovrd::start_with(launch, &config.api_url())
}
