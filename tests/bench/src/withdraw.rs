//! From a final request to the payout that is submitted: reserved, signed by two of three signers in
//! processes of their own, sent. Blocks come when something is sent, so no block time is in it.

use crate::{
    daemon,
    figure::Figure,
    heads::{Heads, percentile},
    machine,
};
use alloy::primitives::Address;
use anyhow::{Context, Result};
use harness::{
    config::{DaemonConfig, Parts},
    contracts::{self, DeployOptions},
    keys::{Role, SIGNERS},
    port,
    process::Lifetime,
    servers::{Anvil, AnvilOptions, Sovrd, TigerBeetle},
    temp::TempDir,
    vault::Vault,
    wallet::Wallet,
};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const VALID_S: u64 = 3_600;
const ETHER: u128 = 1_000_000_000_000_000_000;
const AMOUNT_WEI: u128 = ETHER / 1_000;
/// Before anything is measured.
const WARM_UP: u64 = 5;

/// Everything that runs. Fields are dropped in order.
struct World {
    _sovrd: Sovrd,
    _signers: Vec<Sovrd>,
    _ledger: TigerBeetle,
    anvil: Anvil,
    vault: Vault,
    token: contracts::Token,
    _folder: TempDir,
}

pub(crate) fn run(count: u64) -> Result<Vec<Figure>> {
    let world = start()?;
    let rpc = world.anvil.rpc();
    let alice = Wallet::new(&rpc, Role::Alice.signer()?)?;
    world.vault.deposit(&alice, &world.token, ETHER, alice.address())?;
    let heads = Heads::listen(&world.anvil.ws_url())?;
    let mut times = Vec::new();
    for n in 0..WARM_UP + count {
        let request = rpc.block_number()? + 1;
        world.vault.request(&alice, &world.token, AMOUNT_WEI, alice.address(), VALID_S)?;
        let (asked, paid) = (heads.wait(request, LIMIT)?, heads.wait(request + 1, LIMIT)?);
        if n >= WARM_UP {
            times.push(paid.duration_since(asked));
        }
    }
    let (p99, p50) = (percentile(&mut times, 99)?, percentile(&mut times, 50)?);
    let note = format!(
        "{count} withdrawals, one after the other, 2 of 3 signers, each with a look at node and \
         ledger of its own, on 2 cores; p50 {p50:.1} ms"
    );
    Ok(vec![Figure::bound("withdraw-cycle/p99", p99, "ms", 100.0, note)])
}

fn start() -> Result<World> {
    let ledger = machine::full_server()?;
    let anvil = Anvil::start(AnvilOptions::default())?;
    let rpc = anvil.rpc();
    let deployment = contracts::deploy(&rpc, &DeployOptions::development()?)?;
    let folder = TempDir::new("bench")?;
    let mut config = DaemonConfig::development(Parts {
        deployment: &deployment,
        rpc_url: &anvil.url(),
        ws_url: Some(&anvil.ws_url()),
        cluster_id: ledger.cluster_id(),
        ledger_addresses: &[ledger.address()],
        api_port: port::free()?,
        folder: folder.path(),
    })?;
    let vault = Vault::new(&rpc, &deployment);
    let addresses: Vec<Address> = SIGNERS.into_iter().map(Role::address).collect::<Result<_>>()?;
    vault.set_signers(&Wallet::new(&rpc, Role::Admin.signer()?)?, &addresses, 2)?;
    let program = daemon::program()?;
    let mut signers = Vec::new();
    for role in SIGNERS {
        let folder = folder.path().join(role.name());
        let config = config.add_signer(role, &folder)?;
        let (path, log) = (folder.join("signer.toml"), folder.join("signer.log"));
        config.write(&path)?;
        let url = config.api_url();
        signers.push(Sovrd::start_signer(&program, &path, &url, &log, Lifetime::Owned)?);
    }
    for signer in &mut signers {
        signer.wait_ready(LIMIT)?;
    }
    let (path, log) = (folder.path().join("sovrd.toml"), folder.path().join("sovrd.log"));
    config.write(&path)?;
    let mut sovrd = Sovrd::start(&program, &path, &config.api_url(), &log)?;
    sovrd.wait_ready(LIMIT)?;
    let token = deployment.token("ETH").context("no ether")?.clone();
    Ok(World {
        _sovrd: sovrd,
        _signers: signers,
        _ledger: ledger,
        anvil,
        vault,
        token,
        _folder: folder,
    })
}
