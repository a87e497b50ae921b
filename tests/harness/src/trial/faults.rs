//! One fault each, from its beginning to its end. What it does to users is told by the watch.

use crate::{
    judge,
    trial::{
        cluster::{Cluster, REPLICAS},
        crashes::copy_folder,
        world::{Backing, PATIENCE, Part, Setup, World},
    },
    wait,
};
use anyhow::{Context, Result, bail, ensure};
use std::{fs, thread, time::Duration};

/// The exit code for what passes.
const TRANSIENT: i32 = 75;
const HOUR_S: i64 = 3_600;
/// Sessions that a cluster bears (64), and some more.
const CROWD: usize = 68;
/// What the daemon logs when its session is gone.
const EVICTED: &str = "the ledger ended the session";

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Fault {
    /// The ledger's primary is killed, later started again.
    PrimaryKilled,
    /// Two of five replicas stop answering and keep their connections.
    MinorityStopped,
    /// Two of five replicas are killed, later started again.
    MinorityKilled,
    /// Three of five replicas are killed, later started again.
    MajorityKilled,
    /// A replica's data file is lost and made anew by `recover`.
    DataLost,
    /// The ledger ends the daemon's session.
    ClientEvicted,
    /// The primary's network is cut, later joined again.
    NetworkCut,
    /// The daemon is killed and started at once.
    DaemonKilled,
    /// The daemon stands still for a while.
    DaemonStopped,
    /// A signer is killed and started at once.
    SignerKilled,
    /// Two of three signers are away for a while.
    SignersAway,
    /// The node ends in order and comes back with its state.
    NodeRestarted,
    /// The node stops answering and keeps its connections.
    NodeStopped,
    /// The daemon is killed and its store is one from before.
    StoreOlder,
    /// The daemon is killed and its store is deleted.
    StoreDeleted,
    /// The disk of the store is full: the daemon ends; later there is room again and it is started.
    DiskFull,
    /// Two daemons for one vault, with the same keys.
    TwoDaemons,
    /// The daemon's clock jumps an hour ahead, later back.
    ClockAhead,
    /// The daemon's clock jumps an hour back, later ahead.
    ClockBehind,
}

/// Those of the ledger's cluster.
pub const OF_LEDGER: [Fault; 7] = [
    Fault::PrimaryKilled,
    Fault::MinorityStopped,
    Fault::MinorityKilled,
    Fault::MajorityKilled,
    Fault::DataLost,
    Fault::ClientEvicted,
    Fault::NetworkCut,
];

/// Those of everything else.
pub const OF_NODE_AND_STORE: [Fault; 12] = [
    Fault::DaemonKilled,
    Fault::DaemonStopped,
    Fault::SignerKilled,
    Fault::SignersAway,
    Fault::NodeRestarted,
    Fault::NodeStopped,
    Fault::StoreOlder,
    Fault::StoreDeleted,
    Fault::DiskFull,
    Fault::TwoDaemons,
    Fault::ClockAhead,
    Fault::ClockBehind,
];

/// What a world needs so that these can happen.
#[must_use]
pub fn setup(faults: &[Fault]) -> Setup {
    Setup {
        is_cluster: faults.iter().any(|fault| OF_LEDGER.contains(fault)),
        small_disk: faults.contains(&Fault::DiskFull),
        own_clock: faults.contains(&Fault::ClockAhead) || faults.contains(&Fault::ClockBehind),
    }
}

impl Fault {
    /// What the table calls it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::PrimaryKilled => "the ledger's primary killed, started again",
            Self::MinorityStopped => "two of five replicas stopped (SIGSTOP)",
            Self::MinorityKilled => "two of five replicas killed, started again",
            Self::MajorityKilled => "three of five replicas killed, started again",
            Self::DataLost => "a replica's data file lost, brought back with recover",
            Self::ClientEvicted => "the daemon's session evicted while it stood still",
            Self::NetworkCut => "the primary's network cut (network namespace)",
            Self::DaemonKilled => "daemon killed, started at once",
            Self::DaemonStopped => "daemon stopped (SIGSTOP)",
            Self::SignerKilled => "a signer killed, started at once",
            Self::SignersAway => "two of three signers killed, started again",
            Self::NodeRestarted => "node ended, started again with its state",
            Self::NodeStopped => "node stopped (SIGSTOP)",
            Self::StoreOlder => "daemon killed, store copied back from before",
            Self::StoreDeleted => "daemon killed, store deleted",
            Self::DiskFull => "disk full: the daemon ends with 75; room again, started",
            Self::TwoDaemons => "two daemons with the same keys",
            Self::ClockAhead => "the daemon's clock jumps an hour ahead, then back",
            Self::ClockBehind => "the daemon's clock jumps an hour back, then ahead",
        }
    }

    /// Whether so much is gone that nothing can clear meanwhile.
    #[must_use]
    pub const fn stops_clearing(self) -> bool {
        matches!(self, Self::MajorityKilled | Self::DaemonStopped | Self::NodeStopped)
    }

    /// Whether the daemon itself is away for a moment.
    #[must_use]
    pub const fn takes_daemon(self) -> bool {
        matches!(
            self,
            Self::ClientEvicted
                | Self::DaemonKilled
                | Self::DaemonStopped
                | Self::StoreOlder
                | Self::StoreDeleted
                | Self::DiskFull
        )
    }

    /// Lets it happen, holds it for so long, and mends what operators would mend.
    ///
    /// # Errors
    /// When it cannot be brought about.
    pub fn happen(self, world: &mut World, hold: Duration) -> Result<()> {
        match self {
            Self::PrimaryKilled => kill(cluster(world)?, 1, hold),
            Self::MinorityKilled => kill(cluster(world)?, 2, hold),
            Self::MajorityKilled => kill(cluster(world)?, 3, hold),
            Self::MinorityStopped => stop_minority(cluster(world)?, hold),
            Self::DataLost => lose_data(cluster(world)?, hold),
            Self::NetworkCut => cut(cluster(world)?, hold),
            Self::ClientEvicted => evict(world),
            Self::DaemonKilled => world.daemon.restart(),
            Self::DaemonStopped => pause(world.daemon.server(), hold),
            Self::SignerKilled => world.part(Part::Signer(0))?.restart(),
            Self::SignersAway => signers_away(world, hold),
            Self::NodeRestarted => restart_node(world, hold),
            Self::NodeStopped => pause(world.anvil.server(), hold),
            Self::StoreOlder => older_store(world, hold),
            Self::DiskFull => fill_disk(world, hold),
            Self::TwoDaemons => second_daemon(world, hold),
            Self::ClockAhead => jump(world, HOUR_S, hold),
            Self::ClockBehind => jump(world, -HOUR_S, hold),
            Self::StoreDeleted => {
                world.daemon.kill9()?;
                fs::remove_dir_all(&world.config.store.path)?;
                world.daemon.restart()
            }
        }
    }
}

fn cluster(world: &mut World) -> Result<&mut Cluster> {
    match &mut world.ledger {
        Backing::Five(cluster) => Ok(cluster),
        Backing::One(_) => bail!("this fault needs a cluster"),
    }
}

/// The primary and those after it.
fn first(cluster: &Cluster, count: usize) -> Vec<usize> {
    let primary = cluster.primary();
    (0..count).map(|n| (primary + n) % REPLICAS).collect()
}

fn kill(cluster: &mut Cluster, count: usize, hold: Duration) -> Result<()> {
    let chosen = first(cluster, count);
    for &n in &chosen {
        cluster.server(n)?.kill9()?;
    }
    thread::sleep(hold);
    for &n in &chosen {
        cluster.restart(n)?;
    }
    Ok(())
}

fn stop_minority(cluster: &mut Cluster, hold: Duration) -> Result<()> {
    let chosen = first(cluster, 2);
    for &n in &chosen {
        cluster.server(n)?.pause()?;
    }
    thread::sleep(hold);
    for &n in &chosen {
        cluster.server(n)?.resume()?;
    }
    Ok(())
}

/// Of one that does not lead: the others go on and help.
fn lose_data(cluster: &mut Cluster, hold: Duration) -> Result<()> {
    let lost = (cluster.primary() + 1) % REPLICAS;
    cluster.lose(lost)?;
    thread::sleep(hold);
    cluster.recover(lost)
}

fn cut(cluster: &mut Cluster, hold: Duration) -> Result<()> {
    let primary = cluster.primary();
    cluster.connect(primary, false)?;
    thread::sleep(hold);
    cluster.connect(primary, true)
}

/// The ledger evicts whoever was silent for longest: the daemon stands still while others come.
fn evict(world: &mut World) -> Result<()> {
    let ended = |world: &mut World| world.daemon.server().log_text().matches(EVICTED).count();
    let before = ended(world);
    world.daemon.server().pause()?;
    let crowd = judge::crowd(world.ledger.cluster_id(), &world.ledger.addresses(), CROWD);
    world.daemon.server().resume()?;
    crowd?;
    wait::until("the daemon to learn that it was evicted", PATIENCE, || {
        Ok((ended(world) > before).then_some(()))
    })
}

fn pause(server: &crate::process::Server, hold: Duration) -> Result<()> {
    server.pause()?;
    thread::sleep(hold);
    server.resume()
}

fn signers_away(world: &mut World, hold: Duration) -> Result<()> {
    for n in [0, 1] {
        world.part(Part::Signer(n))?.kill9()?;
    }
    thread::sleep(hold);
    for n in [0, 1] {
        world.part(Part::Signer(n))?.restart()?;
    }
    Ok(())
}

fn restart_node(world: &mut World, hold: Duration) -> Result<()> {
    let height = world.anvil.rpc().block_number()?;
    world.anvil.stop()?;
    thread::sleep(hold);
    world.anvil.restart()?;
    ensure!(world.anvil.rpc().block_number()? >= height, "the node came back without its state");
    Ok(())
}

/// The copy is taken while the store is written to, as a backup would be.
fn older_store(world: &mut World, hold: Duration) -> Result<()> {
    let (store, copy) = (world.config.store.path.clone(), world.dir.path().join("older"));
    let _before = fs::remove_dir_all(&copy);
    copy_folder(&store, &copy)?;
    let before = acknowledged(world)?;
    thread::sleep(hold);
    wait::until("the store to grow older", PATIENCE, || {
        Ok((acknowledged(world)? > before).then_some(()))
    })?;
    world.daemon.kill9()?;
    fs::remove_dir_all(&store)?;
    copy_folder(&copy, &store)?;
    world.daemon.restart()
}

/// Something new is written all the time: without room for it the daemon must end, with 75.
fn fill_disk(world: &mut World, hold: Duration) -> Result<()> {
    let filler = world.disk.as_ref().context("the store has no disk of its own")?.fill()?;
    let status = world.daemon.wait_exit(PATIENCE)?;
    ensure!(status.code() == Some(TRANSIENT), "ended with {status}");
    thread::sleep(hold);
    fs::remove_file(filler)?;
    world.daemon.restart()
}

fn second_daemon(world: &mut World, hold: Duration) -> Result<()> {
    world.start_second()?;
    thread::sleep(hold);
    let status = world.second.take().context("no second daemon")?.terminate(PATIENCE)?;
    ensure!(status.success(), "the second daemon ended with {status}");
    Ok(())
}

fn jump(world: &World, seconds: i64, hold: Duration) -> Result<()> {
    let clock = world.clock.as_ref().context("the daemon has no clock of its own")?;
    clock.set(seconds)?;
    thread::sleep(hold);
    clock.set(0)
}

fn acknowledged(world: &World) -> Result<u64> {
    let status = world.status()?;
    status["acknowledged"]["next_seq"].as_u64().context("no acknowledged.next_seq in the status")
}
