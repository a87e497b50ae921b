//! What a seed decides before anything happens.

use crate::{
    chain::{Chain, node::Endpoint, vault::Rules},
    fault::{Fault, FaultSet},
    rng::{Rng, hash},
    users,
    world::{Action, World},
};
use alloy_primitives::{Address, B256, address};
use bridge_core::{
    account::{self, NewAccount},
    amount::ScaleDivisor,
    asset::{LedgerId, Listing},
    block::BlockRef,
    bridge::Config,
    eip712::Domain,
    endpoint::EndpointsConfig,
    gasless::GaslessConfig,
    id::{Identity, Instance},
    reserves::ReservesConfig,
    submitter::SubmitterConfig,
};

const CHAIN_ID: u64 = 31_337;
const VAULT: Address = address!("0x00000000000000000000000000000000000a0171");
const SUBMITTER: Address = address!("0x0000000000000000000000000000000000005b01");
/// Blocks before the vault.
const EMPTY_BLOCKS: u64 = 4;
/// Where the specification's chart lives in this world.
const CLEARING: LedgerId = LedgerId(1001);

/// The kinds of trouble of a seed: none in some seeds, a few in most, nearly all in some.
pub(crate) fn faults(rng: &mut Rng) -> FaultSet {
    let per_mille = *rng.pick(&[0, 120, 250, 250, 450, 450, 700]);
    let mut faults = FaultSet::NONE;
    for fault in Fault::ALL {
        let rare = *fault == Fault::Contradiction;
        if rng.per_mille(if rare { 40 } else { per_mille }) {
            faults = faults.with(*fault);
        }
    }
    faults
}

pub(crate) fn chain(rng: &mut Rng, seed: u64, faults: FaultSet) -> Chain {
    let token = |n: u64| Address::from_slice(&hash(n, 0x70).as_slice()[..20]);
    let listing = |n: u64, divisor: u128| Listing {
        token: token(n),
        ledger: LedgerId(1001 + u32::try_from(n).unwrap_or(0)),
        divisor: ScaleDivisor::new(divisor).unwrap_or_else(|| unreachable!("not zero")),
    };
    let queue_from = if faults.has(Fault::Queue) { 40 } else { u128::MAX };
    let rules = Rules {
        domain: Domain::new(CHAIN_ID, VAULT),
        tokens: vec![listing(0, 10_000), listing(1, 1), listing(2, 1_000_000_000_000)],
        failing: vec![users::FAILING_RECIPIENT],
        queue_from,
        short: if seed % 8 == 5 && faults.has(Fault::Hostile) { 20..28 } else { 0..0 },
    };
    Chain::new(rules, VAULT, rng.between(1, 7), EMPTY_BLOCKS, seed)
}

pub(crate) fn config(rng: &mut Rng, chain: &Chain) -> (Config, Instance) {
    let origin = chain.head().header.block;
    let genesis = chain.at(0).map_or(B256::ZERO, |b| b.header.block.hash);
    let identity = Identity {
        chain_id: CHAIN_ID,
        genesis,
        vault: VAULT,
        code_hash: hash(1, 2),
        deploy_block_hash: hash(3, 4),
    };
    let instance = identity.key().instance();
    let (count, quorum) =
        *rng.pick(&[(1, 1), (1, 1), (1, 1), (1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 2)]);
    let endpoints =
        EndpointsConfig { count, quorum, lag_max_ms: 1_500, set_aside_longest_ms: 2_000 };
    let config = Config {
        identity,
        origin: BlockRef { number: origin.number, hash: origin.hash },
        poll_interval_ms: 150,
        range_blocks_max: *rng.pick(&[1, 3, 8, 64]),
        range_events_max: *rng.pick(&[2, 8, 100]),
        suspicions_max: 3,
        endpoints,
        batch_max: *rng.pick(&[2, 5, 16, 253]),
        queue_max: *rng.pick(&[4, 16, 1_000]),
        open_withdrawals_max: *rng.pick(&[3, 8, 1_000, 1_000]),
        checkpoint_interval_ms: *rng.pick(&[100, 400]),
        work_backoff_ms: 200,
        work_backoff_longest_ms: 3_000,
        submitter: Some(SubmitterConfig {
            address: SUBMITTER,
            low_balance: 0,
            gas_limit: 500_000,
            in_flight_max: usize::try_from(rng.between(1, 4)).unwrap_or(1),
            priority_fee: 10,
            fee_cap: 100_000,
            rebroadcast_ms: 600,
            replace_ms: 1_500,
        }),
        gasless: Some(GaslessConfig {
            fees: std::collections::BTreeMap::new(),
            lead_s: crate::orders::LEAD_S,
            open_per_owner_max: 4,
        }),
        reserves: Some(ReservesConfig {
            interval_ms: *rng.pick(&[100, 400, 1_500]),
            breaks_max: 2,
            early_blocks_max: 40,
        }),
        is_new: false,
        superseded: Vec::new(),
        pauser: true,
    };
    (config, instance.unwrap_or_else(|| unreachable!("one key in 2^32 has no instance")))
}

/// What the daemons' endpoints are like. One may lie for good where two of three must agree.
pub(crate) fn endpoints(
    rng: &mut Rng,
    chain: &Chain,
    config: &Config,
    faults: FaultSet,
) -> Vec<Endpoint> {
    let mut list: Vec<_> = (0..config.endpoints.count).map(|_| Endpoint::new(chain)).collect();
    if faults.has(Fault::RangeLimit) {
        list.iter_mut().for_each(|e| e.range_limit = *rng.pick(&[1, 2, 5, 40]));
    }
    if faults.has(Fault::Liar) && config.endpoints.count > 2 && config.endpoints.quorum > 1 {
        let liar = rng.index(list.len());
        list[liar].invents_at = Some(rng.between(EMPTY_BLOCKS + 1, EMPTY_BLOCKS + 20));
    }
    list
}

impl World<'_> {
    /// The world as the first daemon finds it.
    pub(crate) fn prepare(&mut self, rng: &mut Rng) {
        let foundation =
            account::foundation(&self.daemons[0].config.identity, self.instance, CLEARING);
        self.operator_accounts(&foundation);
        if self.faults.has(Fault::BatchLimit) {
            self.ledger_limit = *rng.pick(&[5, 6, 9]);
            self.happened(Fault::BatchLimit);
        }
        self.take_accounts(rng);
        self.list_tokens(rng);
        for n in 0..rng.between(0, 12) {
            // Some history before the daemon first starts.
            self.on_user_now();
            if n % 3 == 2 {
                self.mine_now(1);
            }
        }
        if self.faults.has(Fault::TwoDaemons) {
            let config = self.daemons[0].config.clone();
            self.daemons.push(crate::daemon::Daemon::new(config));
            self.happened(Fault::TwoDaemons);
        }
        for daemon in 0..self.daemons.len() {
            let pause = rng.between(0, 300) * (daemon as u64 + 1);
            self.after(pause, Action::Restart { daemon });
            self.after(pause + 1, Action::Tick { daemon });
        }
        self.after(100, Action::Mine);
        self.after(150, Action::User);
        self.after(70, Action::Trouble);
    }

    fn list_tokens(&mut self, rng: &mut Rng) {
        for token in 0..2 {
            self.chain.send(crate::chain::vault::Call::List { token });
        }
        if rng.per_mille(300) {
            self.chain.send(crate::chain::vault::Call::List { token: 2 });
        }
        self.mine_now(3);
        // A daemon is set up for a vault whose creation is final.
        while self.truth.height < EMPTY_BLOCKS {
            self.mine_now(1);
        }
    }

    /// Ids that belong to somebody else before we come.
    fn take_accounts(&mut self, rng: &mut Rng) {
        let owners = users::owners();
        if self.faults.has(Fault::TakenAccount) {
            let (funds, gate) = (owners[rng.index(2)], owners[2]);
            let ledger = self.chain.rules.tokens[rng.index(2)].ledger;
            let other = |account: NewAccount| NewAccount { user_data_128: 0xdead, ..account };
            let mut taken = vec![other(NewAccount::funds(ledger, funds))];
            self.truth.taken_funds.insert((ledger.0, funds));
            if rng.per_mille(500) {
                taken.push(other(NewAccount::gate(gate)));
                self.truth.taken_gates.insert(gate);
            }
            self.operator_accounts(&taken);
            self.happened(Fault::TakenAccount);
        }
        if self.faults.has(Fault::TakenLedger) {
            let listing = self.chain.rules.tokens[1 + rng.index(2)];
            let ours = NewAccount::ledger_registry(CHAIN_ID, &listing);
            self.operator_accounts(&[NewAccount { user_data_64: 1, ..ours }]);
            self.truth.taken_ledgers.insert(listing.ledger.0);
            self.happened(Fault::TakenLedger);
        }
    }

    pub(crate) fn operator_accounts(&mut self, accounts: &[NewAccount]) {
        let accounts: Vec<_> = accounts.iter().map(crate::ledger::translate::account).collect();
        let now = self.ledger_clock();
        self.ledger.create_accounts(&accounts, now);
    }
}
