//! Nodes that fail, lag and lie: what the daemon does, what its status says meanwhile, and how soon
//! all is well again. Each case is a row of the table that `scripts/faults` makes.

use crate::{
    table::{row, seconds},
    world::{ETHER, PATIENCE, World},
};
use anyhow::{Context, Result, ensure};
use harness::{
    keys::Role,
    proxy::{Fault, Proxy},
    servers::AnvilOptions,
    temp::TempDir,
    wait,
};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Nothing is credited for so long, although the daemon could read many times meanwhile.
const WATCHED: Duration = Duration::from_secs(2);
const RPC_TIMEOUT_MS: u64 = 1_000;
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// A running daemon whose endpoints are proxies in front of one node.
struct Stage {
    world: World,
    proxies: Vec<Proxy>,
}

/// A fault, with words that the status has to hold while it lasts.
struct Case {
    name: &'static str,
    fault: Fault,
    words: &'static str,
}

fn case(name: &'static str, fault: Fault, words: &'static str) -> Case {
    Case { name, fault, words }
}

/// Faults under which an endpoint brings nothing that could be taken in.
fn cases(height: u64) -> Vec<Case> {
    vec![
        case("connections are refused", Fault::Away, "cannot be reached"),
        case("answers are cut in the middle", Fault::Cut, "cannot be reached"),
        case("429 too many requests", Fault::RateLimited, "come less often"),
        case("answers take 3 s", Fault::Slow(Duration::from_secs(3)), "not answer in time"),
        case("garbage instead of JSON", Fault::Garbage, "cannot be used"),
        case("an answer of 64 MB", Fault::Huge(64 << 20), "cannot be used"),
        case("JSON-RPC errors", Fault::Refusing, "answers with an error"),
        case("no logs are found", Fault::EmptyLogs, "the logs end at"),
        case("the last log is missing", Fault::LastLogMissing, "the logs end at"),
        case("the wrong block is sent", Fault::WrongBlock, ""),
        case("the counter is one too high", Fault::WrongCounter, "the vault counts"),
        case("another genesis", Fault::OtherGenesis, "another chain"),
        case("the node stands still", Fault::Frozen(height), ""),
    ]
}

impl Stage {
    fn new(endpoints: usize, quorum: u8) -> Result<Self> {
        let mut world = World::new()?;
        let url = world.node.url();
        let proxies: Vec<Proxy> =
            (0..endpoints).map(|_| Proxy::start(&url)).collect::<Result<_>>()?;
        let chain = &mut world.config.chain;
        let mut urls = proxies.iter().map(Proxy::url);
        chain.rpc_url = urls.next().context("no endpoint")?;
        chain.fallback_urls = urls.collect();
        chain.quorum = quorum;
        chain.ws_url = None;
        chain.rpc_timeout_ms = Some(RPC_TIMEOUT_MS);
        chain.answer_bytes_max = Some(ANSWER_BYTES_MAX);
        chain.lag_max_ms = Some(1_000);
        chain.set_aside_max_ms = Some(1_000);
        world.start()?;
        Ok(Self { world, proxies })
    }

    fn status(&self) -> Result<Value> {
        let sovrd = self.world.sovrd.as_ref().context("no daemon")?;
        Ok(serde_json::from_str(&sovrd.get("/v1/status")?.body)?)
    }

    /// A deposit that the daemon does not know of yet; its number.
    fn deposit(&self) -> Result<u64> {
        let (eth, alice) = (self.world.token("ETH")?, self.world.wallet(Role::Alice)?);
        self.world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
        self.world.vault.last_seq()
    }

    /// Which two of three are asked for a range depends on who told of the head first: deposits
    /// until this one was asked. How long the first of them took.
    fn deposit_until_set_aside(&self, endpoint: usize) -> Result<Duration> {
        let first = self.wait_for(self.deposit()?)?;
        wait::until(&format!("endpoint {endpoint} to be set aside"), PATIENCE, || {
            if !self.status()?["endpoints"][endpoint]["set_aside"].is_null() {
                return Ok(Some(first));
            }
            self.wait_for(self.deposit()?).map(|_| None)
        })
    }

    fn has(&self, seq: u64) -> Result<bool> {
        let next = self.status()?["acknowledged"]["next_seq"].as_u64();
        Ok(next.context("no next_seq in the status")? > seq)
    }

    /// Waits until an event is in the ledger; how long that took.
    fn wait_for(&self, seq: u64) -> Result<Duration> {
        let start = Instant::now();
        let waited = wait::until(&format!("event {seq} in the ledger"), PATIENCE, || {
            Ok(self.has(seq)?.then_some(()))
        });
        waited.with_context(|| self.told())?;
        Ok(start.elapsed())
    }

    /// Waits until the status says why an endpoint is set aside; what it says.
    fn wait_set_aside(&self, endpoint: usize, words: &str) -> Result<String> {
        let waited =
            wait::until(&format!("endpoint {endpoint} set aside: {words}"), PATIENCE, || {
                let status = self.status()?;
                let aside = &status["endpoints"][endpoint]["set_aside"];
                let reason = aside["reason"].as_str().unwrap_or_default();
                let is_it = aside.is_object() && reason.contains(words);
                Ok(is_it.then(|| reason.to_owned()))
            });
        waited.with_context(|| self.told())
    }

    /// Waits until an endpoint is back in good standing; how long that took.
    fn wait_back(&self, endpoint: usize) -> Result<Duration> {
        let start = Instant::now();
        let waited = wait::until(&format!("endpoint {endpoint} to be back"), PATIENCE, || {
            Ok(self.status()?["endpoints"][endpoint]["set_aside"].is_null().then_some(()))
        });
        waited.with_context(|| self.told())?;
        Ok(start.elapsed())
    }

    /// Nothing of it is credited while the fault lasts, and the daemon does not halt.
    fn stays_out(&self, seq: u64) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < WATCHED {
            ensure!(!self.has(seq)?, "event {seq} was taken in under a fault that hides it");
            std::thread::sleep(Duration::from_millis(50));
        }
        self.is_well()
    }

    /// A fault that changed no answer proves nothing.
    fn is_spoiled(&self) -> Result<()> {
        let spoiled = || Ok((self.proxies[0].spoiled() > 0).then_some(()));
        wait::until("an answer to be spoiled", PATIENCE, spoiled)
    }

    fn is_well(&self) -> Result<()> {
        let status = self.status()?;
        ensure!(status["halted"].is_null(), "halted: {status:#}");
        Ok(())
    }

    fn told(&self) -> String {
        format!("{:#}\n{}", self.status().unwrap_or_default(), self.world.log())
    }
}

#[test]
fn the_next_endpoint_takes_over_and_the_first_one_comes_back() -> Result<()> {
    let stage = Stage::new(2, 1)?;
    stage.wait_for(stage.deposit()?)?;
    for Case { name, fault, words } in cases(stage.world.rpc().block_number()?) {
        // Where the node stands still, it does so at its newest block.
        let fault = match fault {
            Fault::Frozen(_) => Fault::Frozen(stage.world.rpc().block_number()?),
            other => other,
        };
        stage.proxies[0].set(fault);
        let took = stage.wait_for(stage.deposit()?).context(name)?;
        let reason = stage.wait_set_aside(0, words).context(name)?;
        stage.is_spoiled().context(name)?;
        stage.is_well()?;
        stage.proxies[0].set(Fault::None);
        let recovery = stage.wait_back(0).context(name)?;
        let did = format!("read from the next endpoint: credited after {}", seconds(took));
        row(name, "2 endpoints, 1 must say so", &did, &reason, recovery)?;
    }
    let status = stage.status()?;
    assert_eq!(status["endpoints"][0]["leads"], true, "{status:#}");
    let metrics = stage.world.sovrd.as_ref().unwrap().get("/metrics")?.body;
    assert!(metrics.contains("sovr_endpoint_set_aside{endpoint=\"0\"} 0\n"), "{metrics}");
    stage.world.judge()?;
    Ok(())
}

#[test]
fn a_single_endpoint_is_waited_for_and_nothing_is_skipped() -> Result<()> {
    let stage = Stage::new(1, 1)?;
    stage.wait_for(stage.deposit()?)?;
    for Case { name, fault, words } in cases(0) {
        // A single node of another chain that persists halts: see `refusals`.
        let fault = match fault {
            Fault::OtherGenesis => continue,
            Fault::Frozen(_) => Fault::Frozen(stage.world.rpc().block_number()?),
            other => other,
        };
        let stands_still = matches!(fault, Fault::Frozen(_));
        stage.proxies[0].set(fault);
        let seq = stage.deposit()?;
        let said = if stands_still {
            "nothing: one node alone cannot be told to lag".to_owned()
        } else {
            stage.wait_set_aside(0, words).context(name)?
        };
        stage.stays_out(seq).context(name)?;
        if !stands_still {
            let ready = stage.world.sovrd.as_ref().unwrap().get("/ready")?;
            ensure!(ready.status == 503, "{name}: ready although nothing can be read");
        }
        stage.is_spoiled().context(name)?;
        stage.proxies[0].set(Fault::None);
        let recovery = stage.wait_for(seq).context(name)?;
        row(name, "1 endpoint", "waited and read again; credited nothing", &said, recovery)?;
    }
    stage.world.judge()?;
    Ok(())
}

#[test]
fn two_of_three_must_agree() -> Result<()> {
    let stage = Stage::new(3, 2)?;
    stage.wait_for(stage.deposit()?)?;
    let lies = [
        case("every deposit is told larger than it was", Fault::WrongAmounts, ""),
        case("the counter is one too high", Fault::WrongCounter, "something else"),
        case("the wrong block is sent", Fault::WrongBlock, ""),
        case("another genesis", Fault::OtherGenesis, "another chain"),
        case("no logs are found", Fault::EmptyLogs, ""),
        case("connections are refused", Fault::Away, "cannot be reached"),
    ];
    for Case { name, fault, words } in lies {
        stage.proxies[0].set(fault);
        let took = stage.deposit_until_set_aside(0).context(name)?;
        let reason = stage.wait_set_aside(0, words).context(name)?;
        stage.is_spoiled().context(name)?;
        stage.is_well()?;
        stage.proxies[0].set(Fault::None);
        let recovery = stage.wait_back(0).context(name)?;
        let did = format!("believed the two others: credited after {}", seconds(took));
        row(name, "3 endpoints, 2 must say the same", &did, &reason, recovery)?;
    }
    stage.world.judge()?;
    Ok(())
}

#[test]
fn without_agreement_nothing_moves() -> Result<()> {
    let stage = Stage::new(3, 2)?;
    stage.wait_for(stage.deposit()?)?;
    stage.proxies[0].set(Fault::WrongCounter);
    stage.proxies[1].set(Fault::Away);
    let seq = stage.deposit()?;
    stage.stays_out(seq)?;
    let said = wait::until("the status to tell", PATIENCE, || {
        let reason = stage.status()?["rereading"][0]["reason"].as_str().map(str::to_owned);
        Ok(reason.filter(|reason| reason.contains("too few endpoints say the same")))
    });
    let said = said.with_context(|| stage.told())?;
    let words = ["the final head, ", "set aside: it cannot be reached", "stands by"];
    // The third one is set aside for moments, too, for saying something else than the liar.
    wait::until("the status to tell of all three", PATIENCE, || {
        let table = String::from_utf8(stage.world.cli(&["status"])?.stdout)?;
        Ok(words.iter().all(|words| table.contains(words)).then_some(()))
    })?;
    stage.proxies[1].set(Fault::None);
    let recovery = stage.wait_for(seq)?;
    let did = "waited and asked again; credited nothing";
    row("one lies, another is away", "3 endpoints, 2 must say the same", did, &said, recovery)?;
    stage.world.judge()?;
    Ok(())
}

#[test]
fn two_nodes_behind_one_address_are_seen_through() -> Result<()> {
    let stage = Stage::new(1, 1)?;
    let other = Proxy::start(&stage.world.node.url())?;
    for behind in 0..5 {
        let height = stage.world.rpc().block_number()?;
        other.set(Fault::Frozen(height.saturating_sub(behind)));
        stage.proxies[0].set(Fault::Swapped(other.url()));
        let seq = stage.deposit()?;
        stage.world.rpc().mine(1)?;
        let took = stage.wait_for(seq)?;
        stage.is_spoiled()?;
        wait::until("an answer of the other node", PATIENCE, || {
            Ok((other.spoiled() > 0).then_some(()))
        })?;
        let name = format!("every second answer from a node {behind} blocks behind");
        row(&name, "1 endpoint", "read again until the answers fit", "-", took)?;
    }
    stage.is_well()?;
    stage.world.judge()?;
    Ok(())
}

#[test]
fn the_limit_of_each_endpoint_is_learned_and_remembered() -> Result<()> {
    for tells in [true, false] {
        let mut stage = Stage::new(2, 1)?;
        stage.world.stop()?;
        stage.world.rpc().mine(400)?;
        let seq = stage.deposit()?;
        stage.proxies[0].set(Fault::SmallRanges { blocks: 40, tells });
        stage.proxies[1].set(Fault::SmallRanges { blocks: 9, tells });
        stage.world.start()?;
        let took = stage.wait_for(seq)?;
        let status = stage.status()?;
        let learned = status["endpoints"][0]["range_blocks"].as_u64().context("range_blocks")?;
        ensure!(learned <= 5_000 && stage.proxies[0].spoiled() > 0, "{status:#}");
        ensure!(!tells || (20..=40).contains(&learned), "{status:#}");
        let name =
            format!("ranges of at most 40 blocks, {}", if tells { "told" } else { "untold" });
        let did = format!("halved its ranges: {learned} blocks now");
        row(&name, "2 endpoints, 1 must say so", &did, "-", took)?;
        stage.is_well()?;
        stage.world.judge()?;
    }
    Ok(())
}

/// Each kind of connection alone; the first one also after it broke because the node ended.
#[test]
fn websocket_and_local_socket_serve_as_http_does() -> Result<()> {
    let sockets = TempDir::new("s")?;
    let state = Some(sockets.path().join("state.json"));
    let ipc = sockets.path().join("ipc");
    let options = AnvilOptions { state, ipc: Some(ipc.clone()), ..AnvilOptions::default() };
    let mut world = World::with(options)?;
    world.config.chain.set_aside_max_ms = Some(1_000);
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    let round_trip = |world: &World| {
        world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
        let request = world.vault.request(&alice, &eth, ETHER / 4, alice.address(), 3_600)?;
        world.wait_withdrawal(request.id, "paid")?;
        world.judge().map(drop)
    };
    world.config.chain.ws_url = None;
    world.config.chain.rpc_url = world.node.ws_url();
    world.start()?;
    round_trip(&world)?;
    world.node.anvil()?.stop()?;
    world.node.anvil()?.restart()?;
    world.ready()?;
    round_trip(&world)?;
    assert_eq!(world.stop()?, Some(0));

    world.config.chain.rpc_url = ipc.display().to_string();
    world.start()?;
    round_trip(&world)?;
    assert_eq!(world.stop()?, Some(0));
    Ok(())
}

/// What is bounded over HTTP is bounded here too.
#[test]
fn a_local_socket_is_believed_no_more_than_any_other_node() -> Result<()> {
    let sockets = TempDir::new("s")?;
    let mut world = World::new()?;
    let proxy = Proxy::start_at(&sockets.path().join("ipc"), &world.node.url())?;
    let chain = &mut world.config.chain;
    (chain.rpc_url, chain.ws_url) = (proxy.url(), None);
    chain.rpc_timeout_ms = Some(RPC_TIMEOUT_MS);
    chain.answer_bytes_max = Some(ANSWER_BYTES_MAX);
    chain.set_aside_max_ms = Some(1_000);
    world.start()?;
    let stage = Stage { world, proxies: vec![proxy] };
    stage.wait_for(stage.deposit()?)?;
    for Case { name, fault, words } in [
        case("an answer of 64 MB", Fault::Huge(64 << 20), "cannot be used"),
        case("answers are cut in the middle", Fault::Cut, "cannot be reached"),
        case("garbage instead of JSON", Fault::Garbage, ""),
        case("answers take 3 s", Fault::Slow(Duration::from_secs(3)), "not answer in time"),
    ] {
        stage.proxies[0].set(fault);
        let seq = stage.deposit()?;
        let said = stage.wait_set_aside(0, words).context(name)?;
        stage.stays_out(seq).context(name)?;
        stage.is_spoiled().context(name)?;
        stage.proxies[0].set(Fault::None);
        let recovery = stage.wait_for(seq).context(name)?;
        row(
            name,
            "1 endpoint, a local socket",
            "waited and read again; credited nothing",
            &said,
            recovery,
        )?;
    }
    stage.world.judge()?;
    Ok(())
}

#[test]
fn an_error_on_sending_means_unknown_and_every_endpoint_gets_it() -> Result<()> {
    let stage = Stage::new(2, 1)?;
    let (eth, alice) = (stage.world.token("ETH")?, stage.world.wallet(Role::Alice)?);
    stage.wait_for(stage.deposit()?)?;
    // The first one takes the transaction and answers with an error; the second one is honest.
    stage.proxies[0].set(Fault::Refusing);
    let request = stage.world.vault.request(&alice, &eth, ETHER / 2, alice.address(), 3_600)?;
    stage.world.wait_withdrawal(request.id, "paid")?;
    stage.is_spoiled()?;
    // Now nobody says that it was taken, although it was, and nothing can be read meanwhile.
    stage.proxies.iter().for_each(|proxy| proxy.set(Fault::None));
    stage.wait_back(0)?;
    let request = stage.world.vault.request(&alice, &eth, ETHER / 2, alice.address(), 3_600)?;
    wait::until("the payout on its way", PATIENCE, || {
        let state = stage.world.item(&format!("withdrawal:{}", request.id))?["state"].clone();
        Ok(["submitted", "paid"].contains(&state.as_str().unwrap_or_default()).then_some(()))
    })?;
    stage.proxies.iter().for_each(|proxy| proxy.set(Fault::Refusing));
    std::thread::sleep(WATCHED);
    stage.proxies.iter().for_each(|proxy| proxy.set(Fault::None));
    stage.world.wait_withdrawal(request.id, "paid")?;
    stage.world.judge()?;
    Ok(())
}
