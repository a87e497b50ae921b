//! From the moment that a block is available until its deposit is in the ledger, at a steady rate
//! with instant finality; the limit is one fetch of a block and one `create_transfers`.

use crate::{
    backfill,
    catch_up::Source,
    figure::Figure,
    heads::{Heads, percentile},
    machine::{self, Start},
    story::USERS,
};
use alloy::{
    primitives::{Address, U256},
    sol_types::SolCall,
};
use anyhow::{Context, Result, bail};
use bridge_core::{
    amount::ScaleDivisor,
    asset::{ETHER, LedgerId, Listing},
    block::BlockNumber,
    command::RangeRequest,
    endpoint::EndpointId,
    posting::{self, Credit},
    status::Summary,
    vault_event::VaultEvent,
};
use harness::{
    contracts::{self, DeployOptions, Deployment},
    keys::Role,
    servers::{Anvil, AnvilOptions},
    vault::{Vault, abi::IVault},
    wallet::Wallet,
};
use sovrd::{chain, chain::nodes::Nodes, config, ledger::client::Ledger};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Deposits a second, each in a block of its own.
const RATE: u64 = 100;
/// The least that the development vault takes.
const AMOUNT_WEI: u128 = 100_000_000_000_000;
/// Bare runs for the limit.
const BARE: u64 = 100;

pub(crate) fn run(seconds: u64) -> Result<Vec<Figure>> {
    let anvil = Anvil::start(AnvilOptions::default())?;
    let deployment = contracts::deploy(&anvil.rpc(), &DeployOptions::development()?)?;
    let source = backfill::source(anvil.url(), &anvil.rpc(), &deployment)?;
    let rpc = anvil.rpc();
    let heads = Heads::listen(&anvil.ws_url())?;
    let server = machine::full_server()?;
    let nodes = Nodes::new(&source.config()?)?;
    let ws = config::Endpoint::parse(&anvil.ws_url(), &["ws://"]).map_err(anyhow::Error::msg)?;
    let start = Start { identity: source.identity, origin: source.origin };
    let (first, count) = (source.last_block + 1, RATE * seconds);
    let follow = |orders, inbox: sovrd::engine::Inbox| async move {
        let wake = chain::wake::run(ws, inbox.clone());
        tokio::join!(chain::run(nodes, None, orders, inbox), wake);
    };
    let (heads, source, deployment) = (&heads, &source, &deployment);
    let (_, (mut times, mut bare)) =
        machine::during(&server, start, follow, |summary, ledger| async move {
            let load = (Vault::new(&rpc, deployment), Wallet::new(&rpc, Role::Alice.signer()?)?);
            let load = tokio::task::spawn_blocking(move || deposit_steadily(&load, count));
            let posted = posted_at(summary, first, count).await?;
            load.await??;
            let came = |n| heads.at(first + n).context("a block that nobody was told of");
            let times: Result<Vec<Duration>> = (0..)
                .zip(posted)
                .map(|(n, posted)| Ok(posted.saturating_duration_since(came(n)?)))
                .collect();
            Ok((times?, bare_runs(source, deployment, &ledger, first).await?))
        })?;
    figures(&mut times, &mut bare)
}

fn figures(times: &mut [Duration], bare: &mut [Duration]) -> Result<Vec<Figure>> {
    let count = times.len();
    let (p50, p99) = (percentile(times, 50)?, percentile(times, 99)?);
    let (limit, limit_p99) = (percentile(bare, 50)?, percentile(bare, 99)?);
    let note = format!(
        "{count} deposits, {RATE} a second, Anvil, one full replica, 2 cores; limit: one fetch of a \
         block and one create_transfers, middle of {BARE} (p99 {limit_p99:.1} ms)"
    );
    let bound = format!("{count} deposits, {RATE} a second");
    Ok(vec![
        Figure::bound("live-latency/p50", p50, "ms", limit, note).reaching(0.5),
        Figure::bound("live-latency/p99", p99, "ms", 50.0, bound),
    ])
}

/// One deposit a block; time that was lost is not made up for.
fn deposit_steadily((vault, wallet): &(Vault, Wallet), count: u64) -> Result<()> {
    let pause = Duration::from_secs(1) / u32::try_from(RATE)?;
    for n in 0..count {
        let began = Instant::now();
        let owner = Address::from_word(U256::from(1 + n % USERS).into());
        let call = IVault::depositEtherCall { owner };
        wallet.send(Some(vault.address()), AMOUNT_WEI, call.abi_encode())?;
        std::thread::sleep(pause.saturating_sub(began.elapsed()));
    }
    Ok(())
}

/// When each of the blocks was in the ledger.
async fn posted_at(
    mut summary: watch::Receiver<Arc<Summary>>,
    first: u64,
    count: u64,
) -> Result<Vec<Instant>> {
    let mut posted = Vec::new();
    while posted.len() < usize::try_from(count)? {
        summary.changed().await?;
        let (now, done) = (Instant::now(), summary.borrow_and_update().acknowledged.block.number);
        let blocks = usize::try_from((done.0 + 1).saturating_sub(first).min(count))?;
        posted.resize(blocks.max(posted.len()), now);
    }
    Ok(posted)
}

/// What cannot be avoided for a block: one fetch, and one transfer of its own.
async fn bare_runs(
    source: &Source,
    deployment: &Deployment,
    ledger: &Ledger,
    first: u64,
) -> Result<Vec<Duration>> {
    let nodes = Nodes::new(&source.config()?)?;
    let node = nodes.get(EndpointId(0)).context("no endpoint")?;
    let instance = source.identity.key().instance().context("instance 0")?;
    let ether = deployment.tokens.iter().find(|t| t.address == ETHER).context("no ether")?;
    let divisor = ScaleDivisor::new(ether.scale_divisor).context("divisor 0")?;
    let listing = Listing { token: ETHER, ledger: LedgerId(ether.ledger), divisor };
    let mut times = Vec::new();
    for n in 0..BARE {
        let block = BlockNumber(first + n);
        let began = Instant::now();
        let endpoint = EndpointId(0);
        let (from, to) = (block, block);
        let request = RangeRequest { endpoint, from, to, all_headers: true, attempt: 0 };
        let range = node.range(request).await?;
        let log = range.logs.first().context("an empty block")?;
        let VaultEvent::Deposited(deposit) = &log.event else { bail!("not a deposit") };
        let credit = Credit::of(&listing, log, deposit).context("no credit")?;
        // The same transfer under another attempt: its own id, all else alike.
        let transfer = posting::deposit(instance, &credit.under(u8::MAX), false);
        let failures = ledger.create_transfers(&[transfer]).await?;
        if !failures.is_empty() {
            bail!("the bare transfer failed: {failures:?}");
        }
        times.push(began.elapsed());
    }
    Ok(times)
}
