//! What a wallet user can do alone to harm others. After each of these things somebody else's
//! deposit and withdrawal go through, nothing halts, and chain and ledger agree.

use crate::world::{ETHER, PATIENCE, VALID, World, address};
use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol,
    sol_types::SolCall,
};
use anyhow::{Context, Result, bail, ensure};
use harness::{keys::Role, solidity, vault::abi::IVault, wait, wallet::Wallet};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The smallest deposit of ether that the vault takes.
const DUST: u128 = ETHER / 10_000;
/// Requests that the local stack's vault lets an owner have open.
const OPEN_MAX: usize = 16;
/// Requests of one spammer.
const SPAM: usize = 60;
/// How long an honest user's deposit and withdrawal may take on a busy machine.
const HONEST_LIMIT: Duration = Duration::from_secs(30);

const CONTRACTS: &str = r"
    // SPDX-License-Identifier: Apache-2.0
    pragma solidity ^0.8.28;

    interface IVault {
        function depositEther(address owner) external payable;
        function requestWithdrawal(address token, address to, uint128 amount, uint64 deadline)
            external returns (bytes32);
        function claim(address token, address to) external returns (uint128);
        function invalidateNonce(uint256 nonce) external;
    }

    contract Parrot {
        event Deposited(
            uint64 indexed seq, address indexed token, address indexed owner,
            address from, uint128 amount, uint32 ledger
        );

        function shout(uint64 first, uint256 times, address token, address owner) external {
            for (uint64 n = 0; n < times; n++) {
                emit Deposited(first + n, token, owner, msg.sender, 1e24, 1001);
            }
        }
    }

    contract Many {
        function depositMany(IVault vault, address owner, uint256 times) external payable {
            for (uint256 n = 0; n < times; n++) vault.depositEther{value: msg.value / times}(owner);
        }

        function invalidate(IVault vault, uint256 times) external {
            for (uint256 n = 0; n < times; n++) vault.invalidateNonce(n);
        }
    }

    contract Refuser {
        receive() external payable { revert('no'); }
    }

    contract Burner {
        receive() external payable { while (true) {} }
    }

    contract Bomber {
        receive() external payable {
            assembly { return(0, 1000000) }
        }
    }

    contract Reenterer {
        IVault immutable vault;
        constructor(address payable v) payable { vault = IVault(v); }
        receive() external payable {
            vault.depositEther{value: msg.value}(address(this));
        }
    }

    contract Bequest {
        constructor(address payable heir) payable { selfdestruct(heir); }
    }
";

sol! {
    function shout(uint64 first, uint256 times, address token, address owner) external;
    function depositMany(address vault, address owner, uint256 times) external payable;
    function invalidate(address vault, uint256 times) external;
    function transfer(address to, uint256 amount) external returns (bool);
    function mint(address to, uint256 amount) external;
}

struct Stage {
    world: World,
    mallory: Wallet,
    alice: Wallet,
}

impl Stage {
    fn new() -> Result<Self> {
        let world = World::running()?;
        let (mallory, alice) = (world.wallet(Role::Erin)?, world.wallet(Role::Alice)?);
        Ok(Self { world, mallory, alice })
    }

    fn deploy(&self, contract: &str) -> Result<Address> {
        solidity::deploy(&self.mallory, solidity::compile(CONTRACTS, contract)?)
    }

    /// Mallory's call of the vault.
    fn call(&self, value: u128, call: &impl SolCall) -> Result<()> {
        self.mallory.execute(Some(self.world.vault.address()), value, call.abi_encode()).map(drop)
    }

    /// The vault itself must refuse it.
    fn must_revert(&self, value: u128, call: &impl SolCall) -> Result<()> {
        let refused = self.call(value, call);
        ensure!(refused.is_err(), "the vault took what it must refuse");
        Ok(())
    }

    /// Alice deposits and withdraws; both go through.
    fn honest(&self, what: &str) -> Result<()> {
        let (world, eth, began) = (&self.world, self.world.token("ETH")?, Instant::now());
        world.vault.deposit(&self.alice, &eth, ETHER, self.alice.address())?;
        let request =
            world.vault.request(&self.alice, &eth, ETHER / 2, address(Role::Bob), VALID)?;
        world.wait_withdrawal(request.id, "paid").with_context(|| what.to_owned())?;
        let page = world.sovrd.as_ref().context("no daemon")?.get("/v1/status")?;
        let status: Value = serde_json::from_str(&page.body)?;
        ensure!(status["halted"].is_null(), "{what}: {status:#}");
        ensure!(status["blocked_ledgers"] == json!([]), "{what}: {status:#}");
        let took = began.elapsed();
        ensure!(took < HONEST_LIMIT, "{what}: the others waited for {took:?}");
        Ok(())
    }

    /// Mallory has so much ether in the ledger afterwards, and asks for some of it.
    fn fund(&self, amount: u128) -> Result<()> {
        let eth = self.world.token("ETH")?;
        self.world.vault.deposit(&self.mallory, &eth, amount, self.mallory.address()).map(drop)
    }

    fn request(&self, amount: u128, to: Address) -> Result<B256> {
        let eth = self.world.token("ETH")?;
        Ok(self.world.vault.request(&self.mallory, &eth, amount, to, VALID)?.id)
    }

    fn end(&self) -> Result<()> {
        self.world.judge().map(drop)
    }
}

#[test]
fn spam_of_deposits_and_requests() -> Result<()> {
    let stage = Stage::new()?;
    let (eth, mallory) = (stage.world.token("ETH")?, &stage.mallory);

    for n in 1..=40 {
        stage.call(DUST, &IVault::depositEtherCall { owner: Address::repeat_byte(n) })?;
    }
    stage.honest("1: dust for forty strangers")?;

    stage.must_revert(
        DUST - 10_000_000_000,
        &IVault::depositEtherCall { owner: mallory.address() },
    )?;
    stage.must_revert(DUST + 1, &IVault::depositEtherCall { owner: mallory.address() })?;
    stage.must_revert(DUST, &IVault::depositEtherCall { owner: Address::ZERO })?;
    stage.honest("2: too little, parts of a unit, and nobody's deposits")?;

    let many = stage.deploy("Many")?;
    let call = depositManyCall {
        vault: stage.world.vault.address(),
        owner: mallory.address(),
        times: U256::from(60),
    };
    let receipt = mallory.execute(Some(many), 60 * DUST, call.abi_encode())?;
    ensure!(receipt.logs().len() == 60, "sixty deposits in one transaction");
    stage.honest("3: sixty deposits in one transaction")?;

    stage.call(DUST, &IVault::depositEtherCall { owner: stage.world.vault.address() })?;
    stage.call(DUST, &IVault::depositEtherCall { owner: address(Role::Submitter) })?;
    stage.honest("4: deposits for the vault itself and for the bridge's own keys")?;

    // The first more than there is, the others of nothing at all; the money comes after them.
    let mut requests = Vec::new();
    for _ in 0..5 {
        requests.push(stage.request(50 * ETHER, mallory.address())?);
    }
    stage.fund(50 * ETHER)?;
    stage.honest("5: requests before the deposit that they need")?;
    for id in &requests {
        stage.world.wait_withdrawal(*id, "refused")?;
    }

    let deadline = stage.world.vault.chain_time()? + VALID;
    let request = IVault::requestWithdrawalCall {
        token: eth.address,
        to: mallory.address(),
        amount: 999 * ETHER,
        deadline,
    };
    // Until the vault takes no more of them. A daemon that refuses as fast as they come keeps room.
    let mut asked = 0;
    while asked < SPAM && stage.call(0, &request).is_ok() {
        asked += 1;
    }
    ensure!(asked >= OPEN_MAX, "only {asked} requests were taken: the vault's cap is {OPEN_MAX}");
    stage.honest("6: as many requests without money as the vault takes")?;
    stage.end()
}

#[test]
fn look_alikes_donations_and_strange_calls() -> Result<()> {
    let stage = Stage::new()?;
    let (eth, usd) = (stage.world.token("ETH")?, stage.world.token("TUSD")?);
    let (mallory, vault) = (&stage.mallory, stage.world.vault.address());

    let parrot = stage.deploy("Parrot")?;
    let first = stage.world.vault.last_seq()? + 1;
    let shout =
        shoutCall { first, times: U256::from(500), token: eth.address, owner: mallory.address() };
    mallory.execute(Some(parrot), 0, shout.abi_encode())?;
    stage.honest("7: five hundred look-alike events with the next numbers")?;
    ensure!(
        stage.world.item(&format!("deposit:{first}"))?["chain"]["owner"]
            == stage.alice.address().to_string().to_lowercase()
    );

    let mut code = solidity::compile(CONTRACTS, "Bequest")?;
    code.extend_from_slice(vault.into_word().as_slice());
    mallory.execute(None, ETHER, code)?;
    stage.honest("8: ether forced into the vault")?;

    let mint = mintCall { to: vault, amount: U256::from(123) };
    mallory.execute(Some(usd.address), 0, mint.abi_encode())?;
    let mint = mintCall { to: mallory.address(), amount: U256::from(456) };
    mallory.execute(Some(usd.address), 0, mint.abi_encode())?;
    let transfer = transferCall { to: vault, amount: U256::from(456) };
    mallory.execute(Some(usd.address), 0, transfer.abi_encode())?;
    stage.honest("9: tokens sent to the vault without a deposit")?;

    let many = stage.deploy("Many")?;
    let call = invalidateCall { vault, times: U256::from(100) };
    mallory.execute(Some(many), 0, call.abi_encode())?;
    stage.honest("10: a hundred invalidated nonces")?;

    let deadline = stage.world.vault.chain_time()? + VALID;
    let request =
        |token, to, amount, deadline| IVault::requestWithdrawalCall { token, to, amount, deadline };
    let me = mallory.address();
    stage.must_revert(0, &request(me, me, ETHER, deadline))?;
    stage.must_revert(0, &request(eth.address, Address::ZERO, ETHER, deadline))?;
    stage.must_revert(0, &request(eth.address, me, 0, deadline))?;
    stage.must_revert(0, &request(eth.address, me, DUST + 1, deadline))?;
    stage.must_revert(0, &request(eth.address, me, ETHER, u64::MAX))?;
    stage.must_revert(0, &request(eth.address, me, ETHER, deadline - VALID))?;
    stage.honest("11: requests that make no sense")?;
    stage.end()
}

#[test]
fn recipients_that_misbehave() -> Result<()> {
    let stage = Stage::new()?;
    stage.fund(20 * ETHER)?;
    let vault = stage.world.vault.address();
    for (number, contract) in [(12, "Refuser"), (13, "Burner"), (14, "Bomber")] {
        let recipient = stage.deploy(contract)?;
        let id = stage.request(ETHER, recipient)?;
        stage.honest(&format!("{number}: paid to a {contract}"))?;
        let ended = wait::until("the payout to end", PATIENCE, || {
            let item = stage.world.item(&format!("withdrawal:{id}"))?;
            Ok(["paid", "deferred"]
                .contains(&item["state"].as_str().unwrap_or_default())
                .then_some(item))
        })?;
        let state = ended["state"].as_str().unwrap_or_default();
        ensure!(contract == "Bomber" || state == "deferred", "{contract}: {ended:#}");
    }
    let mut code = solidity::compile(CONTRACTS, "Reenterer")?;
    code.extend_from_slice(vault.into_word().as_slice());
    let reenterer = solidity::deploy(&stage.mallory, code)?;
    let id = stage.request(ETHER, reenterer)?;
    stage.honest("15: paid to a contract that calls the vault back")?;
    stage.world.wait_withdrawal(id, "deferred")?;
    let id = stage.request(ETHER, address(Role::Submitter))?;
    stage.world.wait_withdrawal(id, "paid")?;
    stage.honest("16: paid to the bridge's own submitter")?;
    stage.end()
}

#[test]
fn late_cancellations_and_copied_tickets() -> Result<()> {
    let stage = Stage::new()?;
    stage.fund(20 * ETHER)?;
    let (world, rpc) = (&stage.world, stage.world.rpc());
    let eth = world.token("ETH")?;

    // The submitter's transaction is seen in the pool, and its ticket submitted first.
    rpc.set_automine(false)?;
    let hash = stage.mallory.send(Some(world.vault.address()), 0, request_call(&stage)?)?;
    rpc.mine(1)?;
    stage.mallory.receipt(hash)?;
    let ticket = wait::until("the payout in the pool", PATIENCE, || pooled_payout(&stage))?;
    let copied = Wallet::new(&rpc, Role::Dave.signer()?)?;
    copied.with_tip(20_000_000_000).send(Some(world.vault.address()), 0, ticket.to_vec())?;
    rpc.mine(1)?;
    rpc.set_automine(true)?;
    rpc.mine(1)?;
    stage.honest("17: a copied ticket, submitted before the submitter's own")?;

    // Again, when it is of no use any more.
    let again = Wallet::new(&rpc, Role::Dave.signer()?)?;
    let refused = again.execute(Some(world.vault.address()), 0, ticket.to_vec());
    ensure!(refused.is_err(), "the same ticket was paid twice");
    stage.honest("18: a ticket that was paid already")?;

    // A deadline as short as the vault allows; cancelled by somebody else the second it is over,
    // which may be before or after the payout.
    let request = world.vault.request(&stage.mallory, &eth, ETHER, address(Role::Dave), 61)?;
    rpc.increase_time(62)?;
    let late = world.vault.cancel_expired(&stage.mallory, &request);
    stage.honest("19: cancelled in the second after its deadline")?;
    let ended = wait::until("the withdrawal to end", PATIENCE, || {
        let item = world.item(&format!("withdrawal:{}", request.id))?;
        Ok(["paid", "cancelled"]
            .contains(&item["state"].as_str().unwrap_or_default())
            .then_some(item))
    })?;
    ensure!(late.is_ok() == (ended["state"] == "cancelled"), "{late:?} {ended:#}");
    stage.end()
}

fn request_call(stage: &Stage) -> Result<Vec<u8>> {
    let token = stage.world.token("ETH")?.address;
    let deadline = stage.world.vault.chain_time()? + VALID;
    let to = stage.mallory.address();
    Ok(IVault::requestWithdrawalCall { token, to, amount: ETHER, deadline }.abi_encode())
}

/// The input of a payout that waits for a block.
fn pooled_payout(stage: &Stage) -> Result<Option<Bytes>> {
    let pool = stage.world.rpc().call("txpool_content", &json!([]))?;
    let Some(senders) = pool["pending"].as_object() else { bail!("no pool in {pool}") };
    for transaction in senders.values().filter_map(Value::as_object).flat_map(|t| t.values()) {
        let input: Bytes = serde_json::from_value(transaction["input"].clone())?;
        if input.starts_with(&IVault::payoutCall::SELECTOR) {
            return Ok(Some(input));
        }
    }
    Ok(None)
}
