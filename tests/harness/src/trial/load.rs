//! Users who deposit and withdraw while things break. One seed decides who does what.

use crate::{
    contracts::Token,
    keys::Role,
    trial::world::{PATIENCE, World},
    vault::{Requested, Vault, abi::IVault},
    wait,
    wallet::Wallet,
};
use alloy::{primitives::Address, sol_types::SolCall};
use anyhow::{Context, Result, anyhow};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

const USERS: [Role; 5] = [Role::Alice, Role::Bob, Role::Carol, Role::Dave, Role::Erin];
/// One hundredth of an ether in wei.
const PIECE: u128 = 10_000_000_000_000_000;
/// More than anybody ever deposits here.
const TOO_MUCH: u128 = 10_000_000 * PIECE;
/// Seconds that a request can be paid.
const VALID: u64 = 6 * 3_600;
/// Seconds that a request can be paid that shall run out.
const SHORT: u64 = 90;
const GAS_LIMIT: u64 = 500_000;

/// The users with what they may still withdraw.
#[derive(Debug)]
pub struct Load {
    vault: Vault,
    token: Token,
    users: Vec<User>,
    chance: fastrand::Rng,
}

#[derive(Debug)]
struct User {
    wallet: Wallet,
    left: u128,
}

impl Load {
    /// Users of this world.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn new(world: &World, seed: u64) -> Result<Self> {
        let user = |role| -> Result<User> {
            Ok(User { wallet: world.wallet(role)?.with_gas_limit(GAS_LIMIT), left: 0 })
        };
        Ok(Self {
            vault: world.vault.clone(),
            token: world.token("ETH")?,
            users: USERS.into_iter().map(user).collect::<Result<_>>()?,
            chance: fastrand::Rng::with_seed(seed),
        })
    }

    /// A little of everything, for somebody new too: two deposits, a payable request, and one
    /// without money behind it.
    ///
    /// # Errors
    /// When the node refuses something.
    pub fn round(&mut self) -> Result<()> {
        self.deposit_for_somebody_new()?;
        self.deposit()?;
        self.withdraw()?;
        self.overdraw()
    }

    /// Somebody deposits for themselves.
    ///
    /// # Errors
    /// When the node refuses it.
    pub fn deposit(&mut self) -> Result<()> {
        let amount = u128::from(self.chance.u64(1..=4)) * PIECE;
        let vault = self.vault.address();
        let user = self.anybody()?;
        let call = IVault::depositEtherCall { owner: user.wallet.address() };
        user.wallet.send(Some(vault), amount, call.abi_encode())?;
        user.left = user.left.saturating_add(amount);
        Ok(())
    }

    fn deposit_for_somebody_new(&mut self) -> Result<()> {
        let mut owner = [0; 20];
        self.chance.fill(&mut owner);
        let call = IVault::depositEtherCall { owner: Address::from(owner) };
        let vault = self.vault.address();
        self.anybody()?.wallet.send(Some(vault), PIECE, call.abi_encode()).map(drop)
    }

    /// Somebody withdraws who has the money, or deposits first.
    ///
    /// # Errors
    /// When the node refuses it.
    pub fn withdraw(&mut self) -> Result<()> {
        if self.users.iter().all(|user| user.left < PIECE) {
            self.deposit()?;
        }
        self.chance.shuffle(&mut self.users);
        let user = self.users.iter_mut().find(|user| user.left >= PIECE);
        let user = user.context("nobody has anything")?;
        user.left = user.left.saturating_sub(PIECE);
        let wallet = user.wallet.clone();
        self.request(&wallet, PIECE)
    }

    /// Somebody asks for more than they have: it is refused.
    ///
    /// # Errors
    /// When the node refuses it.
    pub fn overdraw(&mut self) -> Result<()> {
        let wallet = self.anybody()?.wallet.clone();
        self.request(&wallet, TOO_MUCH)
    }

    fn request(&self, wallet: &Wallet, amount: u128) -> Result<()> {
        let deadline = self.vault.chain_time()?.saturating_add(VALID);
        let (token, to) = (self.token.address, wallet.address());
        let call = IVault::requestWithdrawalCall { token, to, amount, deadline };
        wallet.send(Some(self.vault.address()), 0, call.abi_encode()).map(drop)
    }

    fn anybody(&mut self) -> Result<&mut User> {
        let at = self.chance.usize(..self.users.len());
        self.users.get_mut(at).context("no users")
    }

    /// A request that stands reserved while payouts are paused and will run out.
    ///
    /// # Errors
    /// When it is not reserved in time.
    pub fn reserved(&mut self, world: &World) -> Result<Requested> {
        let alice = world.wallet(Role::Alice)?;
        self.vault.pause_payouts(&world.wallet(Role::Pauser)?)?;
        self.vault.deposit(&alice, &self.token, PIECE, alice.address())?;
        let asked = self.vault.request(&alice, &self.token, PIECE, alice.address(), SHORT)?;
        let path = format!("/v1/transfers/withdrawal:{}", asked.id);
        wait::until("a request to be reserved", PATIENCE, || {
            let page: serde_json::Value = serde_json::from_str(&world.daemon.get(&path)?.body)?;
            Ok((!page["items"][0]["ledger"].is_null()).then_some(()))
        })?;
        Ok(asked)
    }

    /// Its time runs out.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn run_out(&self, world: &World) -> Result<()> {
        world.anvil.rpc().increase_time(SHORT.saturating_mul(2))
    }

    /// It is closed on chain, and payouts go on.
    ///
    /// # Errors
    /// When a transaction fails.
    pub fn close(&self, world: &World, asked: &Requested) -> Result<()> {
        self.vault.cancel_expired(&world.wallet(Role::Bob)?, asked)?;
        self.vault.unpause_payouts(&world.wallet(Role::Admin)?).map(drop)
    }
}

/// How much is done in the background.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Deposits and requests in a second.
    pub rate: u32,
    /// So many …
    pub requests: u64,
    /// … of so many are requests, spread evenly.
    pub of: u64,
    /// All of them; endless if `None`.
    pub total: Option<u64>,
}

/// Load in the background, until it is stopped or all is done.
#[derive(Debug)]
pub struct Background {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    thread: Option<JoinHandle<Load>>,
}

impl Background {
    /// Starts it. What the node does not take is tried again: it may be away for a while.
    #[must_use]
    pub fn start(mut load: Load, plan: Plan) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (sent, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let shared = (stop.clone(), sent.clone(), refused.clone());
        let thread = thread::spawn(move || {
            let (stop, sent, refused) = shared;
            let pause = Duration::from_secs(1) / plan.rate.max(1);
            while !stop.load(Ordering::SeqCst) {
                let number = sent.load(Ordering::SeqCst);
                if plan.total.is_some_and(|total| number >= total) {
                    break;
                }
                match step(&mut load, number, plan) {
                    Ok(()) => sent.store(number + 1, Ordering::SeqCst),
                    Err(_away) => drop(refused.fetch_add(1, Ordering::SeqCst)),
                }
                thread::sleep(pause);
            }
            load
        });
        Self { stop, sent, refused, thread: Some(thread) }
    }

    /// Stops it and gives the users back.
    ///
    /// # Errors
    /// When its thread panicked.
    pub fn finish(mut self) -> Result<Load> {
        self.stop.store(true, Ordering::SeqCst);
        let thread = self.thread.take().context("it was finished before")?;
        thread.join().map_err(|_| anyhow!("the load ended in a panic"))
    }

    /// How much was sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// How much the node did not take at first.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::SeqCst)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _users = thread.join();
        }
    }
}

/// Every tenth request has no money behind it.
fn step(load: &mut Load, number: u64, plan: Plan) -> Result<()> {
    let requests = |number: u64| number * plan.requests / plan.of;
    let before = requests(number);
    if requests(number + 1) == before {
        return load.deposit();
    }
    if before % 10 == 9 { load.overdraw() } else { load.withdraw() }
}
