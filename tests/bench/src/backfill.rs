//! Real deposits on a real node, from an empty store to caught up.

use crate::{
    catch_up::{self, Pace, Source},
    figure::Figure,
    story::USERS,
};
use alloy::{primitives::U256, sol_types::SolCall};
use anyhow::Result;
use bridge_core::{
    block::{BlockNumber, BlockRef},
    id::Identity,
};
use harness::{
    contracts::{self, DeployOptions, Deployment},
    keys::Role,
    rpc::Rpc,
    servers::{Anvil, AnvilOptions},
    solidity,
    vault::Vault,
    wallet::Wallet,
};

const PER_TRANSACTION: u64 = 200;
/// The least that the development vault takes.
const LEAST_DEPOSIT_WEI: u128 = 100_000_000_000_000;
/// Paces of the bare loop; the best one is the limit.
const SWEEP: [Pace; 4] = [
    Pace { blocks: 50, at_once: 3 },
    Pace { blocks: 200, at_once: 1 },
    Pace { blocks: 50, at_once: 2 },
    Pace { blocks: 20, at_once: 4 },
];

/// Many deposits in one transaction, for as many owners.
const SPREADER: &str = r"
    // SPDX-License-Identifier: Apache-2.0
    pragma solidity ^0.8.28;

    interface IDeposits {
        function depositEther(address owner) external payable;
    }

    contract Spreader {
        function run(IDeposits vault, uint256 first, uint256 count, uint256 users)
            external payable
        {
            uint256 part = msg.value / count;
            for (uint256 i = first; i < first + count; i++) {
                vault.depositEther{value: part}(address(uint160(1 + (i * 2654435761) % users)));
            }
        }
    }
";

alloy::sol! {
    function run(address vault, uint256 first, uint256 count, uint256 users) external payable;
}

pub(crate) fn run(deposits: u64) -> Result<Vec<Figure>> {
    let (_anvil, source) = prepare(deposits)?;
    let race = catch_up::race(&source, &SWEEP)?;
    let rate = |took: std::time::Duration| deposits as f64 / took.as_secs_f64();
    let note = format!(
        "{deposits} deposits of {USERS} users, {PER_TRANSACTION} a block, Anvil, one full replica, \
         2 cores; limit: bare loop, best of {} paces ({:?})",
        SWEEP.len(),
        race.pace
    );
    Ok(vec![Figure::rate("backfill", rate(race.bridge), "deposits/s", rate(race.limit), note)])
}

fn prepare(deposits: u64) -> Result<(Anvil, Source)> {
    let anvil = Anvil::start(AnvilOptions::default())?;
    let rpc = anvil.rpc();
    let deployment = contracts::deploy(&rpc, &DeployOptions::development()?)?;
    let wallet = Wallet::new(&rpc, Role::Alice.signer()?)?.with_gas_limit(29_000_000);
    let spreader = solidity::deploy(&wallet, solidity::compile(SPREADER, "Spreader")?)?;
    let mut first = 0;
    while first < deposits {
        let count = PER_TRANSACTION.min(deposits - first);
        let call = runCall {
            vault: deployment.vault,
            first: U256::from(first),
            count: U256::from(count),
            users: U256::from(USERS),
        };
        let value = u128::from(count) * LEAST_DEPOSIT_WEI;
        wallet.execute(Some(spreader), value, call.abi_encode())?;
        first += count;
        if first % 20_000 == 0 {
            eprintln!("backfill: {first} of {deposits} deposits made");
        }
    }
    let source = source(anvil.url(), &rpc, &deployment)?;
    Ok((anvil, source))
}

/// What there is to read at a node now.
pub(crate) fn source(url: String, rpc: &Rpc, deployment: &Deployment) -> Result<Source> {
    let identity = Identity {
        chain_id: deployment.chain_id,
        genesis: rpc.block_hash(0)?,
        vault: deployment.vault,
        code_hash: deployment.vault_code_hash,
        deploy_block_hash: rpc.block_hash(deployment.deploy_block)?,
    };
    let before = deployment.deploy_block - 1;
    let origin = BlockRef { number: BlockNumber(before), hash: rpc.block_hash(before)? };
    let last_block = rpc.block_number()?;
    let last_seq = Vault::new(rpc, deployment).last_seq()?;
    Ok(Source { url, identity, origin, last_block, last_seq })
}
