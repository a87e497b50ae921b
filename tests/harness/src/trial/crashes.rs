//! The crash matrix: the daemon, or a signer, dies at a named moment while users deposit and
//! withdraw, is started again, and the judge compares. A run counts only if the moment was reached.

use crate::{
    trial::{
        load::Load,
        table::Table,
        world::{PATIENCE, Part, Setup, World},
    },
    vault::Requested,
};
use anyhow::{Context, Result, ensure};
use std::{fs, os::unix::process::ExitStatusExt, path::Path, time::Duration};

const SIGKILL: i32 = 9;
/// Longest wait for a moment that the load leads to.
const REACH: Duration = Duration::from_secs(40);

/// When it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// At a fail point, under load.
    Point(&'static str),
    /// At a fail point of the start.
    Start(&'static str),
    /// At a fail point of a request that runs out.
    RunsOut(&'static str),
    /// At the fail point of a signer.
    Signer(&'static str),
    /// Any time, and the store is deleted.
    StoreDeleted,
    /// Any time, and the store is overwritten with garbage.
    StoreDamaged,
    /// Any time, and the store is one from before.
    StoreOlder,
}

/// A row of the matrix.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name among the crash points of the design.
    pub place: &'static str,
    /// When the process dies.
    pub moment: Moment,
}

const fn row(place: &'static str, moment: Moment) -> Row {
    Row { place, moment }
}

use Moment::{Point, RunsOut, Signer, Start, StoreDamaged, StoreDeleted, StoreOlder};

/// All rows, in the order of a transfer's life.
pub const ROWS: [Row; 36] = [
    row("start", Start("before-claim")),
    row("start", Start("claim-under-way")),
    row("start", Start("ledger-claimed")),
    row("reading", Point("before-range")),
    row("reading", Point("range-read")),
    row("D0", Point("before-accounts")),
    row("D0", Point("accounts-under-way")),
    row("D1", Point("accounts-answered")),
    row("D1", Point("before-deposits")),
    row("D2", Point("deposits-under-way")),
    row("D3", Point("deposits-answered")),
    row("D4", Point("checkpoint-unsynced")),
    row("D4", Point("checkpoint-synced")),
    row("D5", StoreDeleted),
    row("D5", StoreDamaged),
    row("D5", StoreOlder),
    row("W0", Point("before-pendings")),
    row("W0", Point("pendings-under-way")),
    row("W1", Point("pendings-answered")),
    row("W1", Point("before-authorize")),
    row("W1", Signer("signer-remembered")),
    row("W1", Point("payout-authorized")),
    row("W1", Point("withdrawal-unsynced")),
    row("W2", Point("transaction-built")),
    row("W2", Point("transaction-unsynced")),
    row("W2", Point("transaction-synced")),
    row("W3", Point("broadcast-under-way")),
    row("W3", Point("broadcast-answered")),
    row("W4", Point("payout-read")),
    row("W5", Point("payout-mined")),
    row("W6", Point("before-posts")),
    row("W7", Point("posts-under-way")),
    row("W7", Point("posts-answered")),
    row("void", RunsOut("before-voids")),
    row("void", RunsOut("voids-under-way")),
    row("void", RunsOut("voids-answered")),
];

impl Row {
    /// The daemon's name of the moment, where it has one.
    #[must_use]
    pub const fn fail_point(&self) -> Option<&'static str> {
        match self.moment {
            Point(name) | Start(name) | RunsOut(name) | Signer(name) => Some(name),
            StoreDeleted | StoreDamaged | StoreOlder => None,
        }
    }

    /// What the table calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.moment {
            Point(name) | Start(name) | RunsOut(name) | Signer(name) => name,
            StoreDeleted => "any time, store deleted",
            StoreDamaged => "any time, store damaged",
            StoreOlder => "any time, an older store",
        }
    }

    const fn victim(&self) -> Part {
        if matches!(self.moment, Signer(_)) { Part::Signer(0) } else { Part::Daemon }
    }
}

/// What came of a row.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Kills tried.
    pub runs: u32,
    /// Those at the very moment.
    pub reached: u32,
    /// Runs after which something was not as it must be.
    pub violations: u32,
    /// What that was.
    pub said: Vec<String>,
}

/// What to do.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// The daemon with fail points.
    pub program: &'a Path,
    /// Kills at each moment.
    pub runs: u32,
    /// All rows share one world: quicker, but not each on a fresh one.
    pub is_shared: bool,
    /// Only rows whose name holds this.
    pub only: Option<String>,
}

/// Runs the matrix, telling each row as it ends.
///
/// # Errors
/// When a world does not start; what the judge finds is in the outcomes.
pub fn run(
    options: &Options<'_>,
    mut tell: impl FnMut(&Row, &Outcome),
) -> Result<Vec<(Row, Outcome)>> {
    let wanted = |row: &&Row| options.only.as_ref().is_none_or(|part| row.name().contains(part));
    let mut world = None;
    let mut outcomes = Vec::new();
    for (number, row) in ROWS.iter().enumerate().filter(|(_, row)| wanted(row)) {
        let mut outcome = Outcome::default();
        for _ in 0..options.runs {
            let (on, load) = match &mut world {
                Some((on, load)) => (on, load),
                none => {
                    let on = World::start(options.program, Setup::default())?;
                    let load = Load::new(&on, u64::try_from(number)?)?;
                    let (on, load) = none.insert((on, load));
                    (on, load)
                }
            };
            outcome.runs += 1;
            match kill_once(row, on, load) {
                Ok(reached) => outcome.reached += u32::from(reached),
                Err(error) => {
                    outcome.violations += 1;
                    outcome.said.push(format!("{error:#}"));
                    world = None;
                }
            }
        }
        if !options.is_shared {
            world = None;
        }
        tell(row, &outcome);
        outcomes.push((*row, outcome));
    }
    ensure!(!outcomes.is_empty(), "no moment is called {:?}", options.only);
    Ok(outcomes)
}

/// Leads the victim to its moment, starts it again and asks the judge. True if it died there.
fn kill_once(row: &Row, world: &mut World, load: &mut Load) -> Result<bool> {
    let older = world.dir.path().join("older");
    if row.moment == StoreOlder {
        copy_store(world, &older)?;
    }
    let open = lead(row, world, load)?;
    let reached = match row.fail_point() {
        Some(_) => died_there(world, row.victim())?,
        None => true,
    };
    match row.moment {
        StoreDeleted => fs::remove_dir_all(&world.config.store.path)?,
        StoreDamaged => damage(&world.config.store.path.join("db"))?,
        StoreOlder => {
            fs::remove_dir_all(&world.config.store.path)?;
            fs::rename(&older, &world.config.store.path)?;
        }
        Point(_) | Start(_) | RunsOut(_) | Signer(_) => {}
    }
    world.part(row.victim())?.restart()?;
    if let Some(asked) = open {
        load.close(world, &asked)?;
    }
    world.settle(PATIENCE)?;
    Ok(reached)
}

/// Arms the moment and lets users do what leads to it; where there is none, kills.
fn lead(row: &Row, world: &mut World, load: &mut Load) -> Result<Option<Requested>> {
    let file = world.point_file(row.victim());
    let arm = |name: &str| fs::write(&file, name).context("cannot arm a fail point");
    let _old = fs::remove_file(file.with_extension("reached"));
    let mut open = None;
    match row.moment {
        Point(name) | Signer(name) => {
            arm(name)?;
            load.round()?;
        }
        Start(name) => {
            world.daemon.kill9()?;
            load.round()?;
            arm(name)?;
            world.daemon.restart()?;
        }
        RunsOut(name) => {
            let asked = load.reserved(world)?;
            arm(name)?;
            load.run_out(world)?;
            open = Some(asked);
        }
        StoreDeleted | StoreDamaged | StoreOlder => {
            load.round()?;
            load.round()?;
            world.daemon.kill9()?;
        }
    }
    Ok(open)
}

/// Waits for the end at the fail point; what was not reached is disarmed.
fn died_there(world: &mut World, victim: Part) -> Result<bool> {
    let file = world.point_file(victim);
    let Ok(status) = world.part(victim)?.wait_exit(REACH) else {
        let _not_reached = fs::remove_file(&file);
        return Ok(false);
    };
    ensure!(status.signal() == Some(SIGKILL), "ended with {status}, not by SIGKILL");
    Ok(file.with_extension("reached").exists())
}

/// The store is copied while it is written to, as a backup would be.
fn copy_store(world: &World, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    copy_folder(&world.config.store.path, to)
}

/// Copies a folder with all that is in it.
///
/// # Errors
/// When something cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (entry, target) = entry.map(|e| (e.path(), to.join(e.file_name())))?;
        if entry.is_dir() {
            copy_folder(&entry, &target)?;
        } else {
            fs::copy(entry, target)?;
        }
    }
    Ok(())
}

fn damage(file: &Path) -> Result<()> {
    let length = usize::try_from(fs::metadata(file)?.len())?;
    Ok(fs::write(file, vec![0x5a; length])?)
}

/// The matrix for people.
#[must_use]
pub fn table(outcomes: &[(Row, Outcome)], command: String) -> Table {
    let all = |count: fn(&Outcome) -> u32| outcomes.iter().map(|(_, o)| count(o)).sum::<u32>();
    let (runs, reached, violations) = (all(|o| o.runs), all(|o| o.reached), all(|o| o.violations));
    let cells = |(row, outcome): &(Row, Outcome)| {
        let Outcome { runs, reached, violations, .. } = outcome;
        vec![
            row.place.to_owned(),
            row.name().to_owned(),
            runs.to_string(),
            reached.to_string(),
            violations.to_string(),
        ]
    };
    Table {
        name: "crashes",
        command,
        note: format!("{runs} kills, {reached} at the very moment, {violations} violations."),
        head: vec!["place", "moment of the kill", "runs", "reached", "violations"],
        rows: outcomes.iter().map(cells).collect(),
    }
}
