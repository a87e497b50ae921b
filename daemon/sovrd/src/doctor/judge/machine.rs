//! This machine: port, clock, memory; and the daemon that runs on it.

use super::{bytes, on_development_chain};
use crate::{
    config::Config,
    doctor::{
        Check, Verdict,
        facts::{DaemonSays, Facts, Port},
    },
};

/// Seconds by which a block or the ledger may be ahead of this machine's clock.
const AHEAD_MAX_S: u64 = 15;
/// Less free memory than this and the process may be killed, bytes.
const MEMORY_LEAST: u64 = 128 << 20;
/// Less than this and somebody should look, bytes.
const MEMORY_LOW: u64 = 512 << 20;
/// Nanoseconds in a second.
const NS: u64 = 1_000_000_000;

pub(super) fn judge(config: &Config, facts: &Facts) -> Vec<Check> {
    let mut checks = port(config, facts);
    checks.push(clock(config, facts));
    checks.extend(facts.memory_free.map(memory));
    checks
}

fn port(config: &Config, facts: &Facts) -> Vec<Check> {
    let listen = config.listen;
    vec![match &facts.port {
        Port::Free => Check::fine("port.free", format!("api.listen {listen} is free")),
        Port::Signer(address) if config.signer.is_some() => {
            Check::fine("port.signer", format!("the signer {address} answers at {listen}"))
        }
        Port::Daemon(says) if config.signer.is_none() => return daemon(config, says),
        Port::Stranger | Port::Signer(_) | Port::Daemon(_) => Check::wrong(
            "port.taken",
            format!("another program answers at api.listen {listen}"),
            "end it, or choose another port for api.listen",
        ),
        Port::Unusable(reason) => Check::wrong(
            "port.unusable",
            format!("api.listen {listen} cannot be had: {reason}"),
            "give an address of this machine and a free port above 1023",
        ),
    }]
}

fn daemon(config: &Config, says: &DaemonSays) -> Vec<Check> {
    let listen = config.listen;
    if (says.chain_id, says.vault) != (config.chain.chain_id, config.chain.vault) {
        return vec![Check::wrong(
            "daemon.other",
            format!(
                "the daemon at {listen} follows the vault {} on chain {}",
                says.vault, says.chain_id
            ),
            "give each daemon an api.listen of its own",
        )];
    }
    if let Some(evidence) = &says.halted_because {
        return vec![Check::fault(
            Verdict::Halted,
            "daemon.halted",
            format!("the bridge halted: {evidence}"),
            "do not restart it in a loop: see deploy/halted.md; sovrd reconcile shows both sides",
        )];
    }
    if !says.ready {
        return vec![Check::away(
            "daemon.not_ready",
            format!("the daemon waits: {}", says.waiting_for.join("; ")),
            "see the other lines here, sovrd status, and its log",
        )];
    }
    vec![Check::fine("daemon.ready", "it runs, and everything final is in the ledger")]
}

fn clock(config: &Config, facts: &Facts) -> Check {
    let now_s = facts.now_ms / 1_000;
    let ahead = |seconds: u64| Some(seconds.saturating_sub(now_s)).filter(|a| *a > AHEAD_MAX_S);
    let latest = facts.endpoints.iter().filter_map(|e| e.latest).map(|h| h.timestamp.0).max();
    let remedy = "set this machine's clock (NTP): deadlines of withdrawals are judged by it";
    if let Some(ahead) = facts.ledger.newest_ns.and_then(|ns| ahead(ns / NS)) {
        return Check::wrong(
            "clock.behind_ledger",
            format!("the ledger's newest transfer is {ahead} s ahead of this machine's clock"),
            remedy,
        );
    }
    // On a development node anybody sets the time.
    let latest = latest.filter(|_| !on_development_chain(config));
    if let Some(ahead) = latest.and_then(ahead) {
        return Check::wrong(
            "clock.behind_chain",
            format!("the newest block is {ahead} s ahead of this machine's clock"),
            remedy,
        );
    }
    Check::fine("clock.fine", "not behind the chain or the ledger")
}

fn memory(free: u64) -> Check {
    let remedy = "give the machine or the service more memory, or end what else takes it";
    if free < MEMORY_LEAST {
        return Check::away("memory.short", format!("{} of memory free", bytes(free)), remedy);
    }
    if free < MEMORY_LOW {
        return Check::warning("memory.low", format!("{} of memory free", bytes(free)), remedy);
    }
    Check::fine("memory.fine", format!("{} free", bytes(free)))
}
