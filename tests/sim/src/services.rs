//! Node and ledger as the daemons' adapters meet them: with trouble on the way.

use crate::{
    fault::Fault,
    ledger::{survey, translate},
    rng::hash,
    world::{Action, Flight, World},
};
use bridge_core::{
    block::BlockNumber,
    command::{ChainCommand, LedgerCommand, RangeRequest, RequestId},
    endpoint::ReadFault,
    event::{Event, Head, LedgerEvent, Range},
    vault_event::VaultLog,
};

/// Why reads fail.
const FAULTS: [ReadFault; 5] = [
    ReadFault::RateLimited,
    ReadFault::Timeout,
    ReadFault::Unreachable,
    ReadFault::Refused,
    ReadFault::Unusable,
];
/// How long an adapter waits for the ledger, milliseconds.
const REPLY_TIMEOUT_MS: u64 = 250;

impl World<'_> {
    pub(crate) fn ask_node(&mut self, d: usize, command: ChainCommand) {
        let endpoint = match command {
            ChainCommand::Poll { endpoint, .. }
            | ChainCommand::ReadState { endpoint, .. }
            | ChainCommand::ReadHoldings { endpoint, .. } => endpoint,
            ChainCommand::FetchRange(request) => request.endpoint,
        };
        let e = usize::from(endpoint.0);
        let failed = self.roll(Fault::NodeError, 80) || self.endpoints[e].is_down;
        if self.endpoints[e].is_down {
            self.happened(Fault::EndpointDown);
        }
        if self.endpoints[e].invents_at.is_some() {
            self.happened(Fault::Liar);
        }
        let fault = *self.chances.fault.pick(&FAULTS);
        let event = match command {
            ChainCommand::Poll { anchor, at, .. } => match self.poll(d, e, anchor, at) {
                Some(head) if !failed => Event::Head { endpoint, head },
                Some(_) | None => Event::HeadFailed { endpoint, fault },
            },
            ChainCommand::FetchRange(request) if failed => Event::RangeFailed { request, fault },
            ChainCommand::FetchRange(request) => self.fetch(e, request),
            ChainCommand::ReadState { seq, id, block, .. } => {
                let node = &self.endpoints[e];
                let state = node.state(&self.chain, &mut self.chances.chain, id, block);
                let state = if self.roll(Fault::Lie, 60) {
                    Some(bridge_core::event::ContractState::None)
                } else {
                    state.filter(|_| !failed)
                };
                Event::State { endpoint, seq, block: block.number, state }
            }
            ChainCommand::ReadHoldings { block, tokens, .. } => {
                let node = &self.endpoints[e];
                let rng = &mut self.chances.chain;
                let mut readings = node.holdings(&self.chain, rng, block, &tokens);
                if node.invents_at.is_some() && self.roll(Fault::Lie, 500) {
                    readings.iter_mut().for_each(|r| r.holdings.accounted.0 += 1);
                }
                // A node that lacks the block says so.
                let fault = if failed { Some(fault) } else { None };
                let lacks = readings.is_empty() && !tokens.is_empty();
                let fault = fault.or_else(|| lacks.then_some(ReadFault::Missing));
                let readings = if fault.is_some() { Vec::new() } else { readings };
                Event::Holdings { endpoint, block, readings, fault }
            }
        };
        self.answer(d, 40, event);
    }

    fn poll(
        &mut self,
        d: usize,
        e: usize,
        anchor: BlockNumber,
        at: Option<BlockNumber>,
    ) -> Option<Head> {
        let node = &self.endpoints[e];
        let mut head = node.poll(&self.chain, &mut self.chances.chain, anchor, at)?;
        // A lie must not persist: that would be a contradiction.
        let may_lie = self.daemons[d].lies == 0;
        if may_lie && self.roll(Fault::Lie, 40) {
            self.daemons[d].lies += 1;
            self.falsify(&mut head);
        } else {
            self.daemons[d].lies = 0;
        }
        Some(head)
    }

    fn falsify(&mut self, head: &mut Head) {
        // Logs and counter that leave out the same events are two answers that lie alike: nobody who
        // asks one node can tell.
        let may_hide = !self.faults.has(Fault::MissingLogs) && !self.faults.has(Fault::TwoNodes);
        let rng = &mut self.chances.fault;
        let junk = hash(rng.bits(), 1);
        match rng.below(6) {
            0 => head.final_head.block.hash = junk,
            1 => {
                // A block that nobody has, far ahead.
                let far = head.latest.plus(rng.between(1, 400));
                head.final_head.block = bridge_core::block::BlockRef { number: far, hash: junk };
                if rng.per_mille(500) {
                    head.latest = far.plus(10);
                }
            }
            2 => head.last_seq = head.last_seq.plus(rng.between(1, 3)),
            3 if may_hide => head.last_seq = head.last_seq.minus(rng.between(1, 3)),
            4 => head.anchor = head.anchor.map(|(number, _)| (number, junk)),
            _ => head.genesis = junk,
        }
    }

    fn fetch(&mut self, e: usize, request: RangeRequest) -> Event {
        let blocks = request.to.0 - request.from.0 + 1;
        let node = &self.endpoints[e];
        if blocks > node.range_limit {
            self.happened(Fault::RangeLimit);
            // Not every node says that this is why.
            let fault = *self.chances.fault.pick(&[ReadFault::TooLarge, ReadFault::Refused]);
            return Event::RangeFailed { request, fault };
        }
        match node.range(&self.chain, &mut self.chances.chain, request) {
            Some(mut range) => {
                self.spoil(&mut range);
                Event::Range(range)
            }
            None => Event::RangeFailed { request, fault: ReadFault::Missing },
        }
    }

    fn spoil(&mut self, range: &mut Range) {
        if self.roll(Fault::MissingLogs, 120) {
            let rng = &mut self.chances.fault;
            match rng.below(3) {
                0 => range.logs.clear(),
                1 => range.logs.truncate(rng.index(range.logs.len() + 1)),
                _ if !range.logs.is_empty() => {
                    range.logs.remove(rng.index(range.logs.len()));
                }
                _ => {}
            }
        }
        if self.roll(Fault::Lie, 80) {
            let rng = &mut self.chances.fault;
            let junk = hash(rng.bits(), 2);
            let ends = [range.request.from, range.request.to];
            let end = *rng.pick(&ends);
            match rng.below(6) {
                0 => drop(range.headers.get_mut(&end).map(|h| h.block.hash = junk)),
                1 => drop(range.headers.get_mut(&end).map(|h| h.parent = junk)),
                2 => drop(range.headers.remove(&end)),
                3 => {
                    // Of other blocks nobody was asked for a header to hold the log against.
                    let known = |l: &&mut VaultLog| range.headers.contains_key(&l.block.number);
                    if let Some(log) = range.logs.iter_mut().rfind(known) {
                        log.block.hash = junk;
                    }
                }
                4 => drop(range.logs.first_mut().map(|l| l.emitter = vault_of(junk.as_slice()))),
                _ => drop(range.logs.first().copied().map(|l| range.logs.push(l))),
            }
        }
    }

    pub(crate) fn send_to_ledger(&mut self, request: usize) {
        let pause = self.chances.time.between(1, 12);
        if self.roll(Fault::LostReply, 90) {
            let arrives = self.chances.fault.per_mille(700);
            if arrives {
                self.after(pause, Action::Arrive { request });
            }
            // Executed or not: the answer is lost.
            self.flights[request].lost = true;
            self.after(REPLY_TIMEOUT_MS, Action::GiveUp { request });
        } else if self.roll(Fault::LateExecution, 90) {
            let late = self.chances.fault.between(REPLY_TIMEOUT_MS + 1, 5_000);
            self.after(late, Action::Arrive { request });
            self.after(REPLY_TIMEOUT_MS, Action::GiveUp { request });
        } else {
            self.after(pause, Action::Arrive { request });
        }
    }

    /// No answer in time: the outcome is unknown.
    pub(crate) fn on_give_up(&mut self, request: usize) {
        let flight = &mut self.flights[request];
        if flight.answered {
            return;
        }
        let (d, epoch) = (flight.daemon, flight.epoch);
        let request_id = request_of(&flight.command);
        flight.answered = true;
        let event = Event::Ledger(LedgerEvent::Unknown { request: request_id });
        self.after(1, Action::Deliver { daemon: d, epoch, event: Box::new(event) });
    }

    /// The request reaches the ledger and executes, whoever still waits for it.
    pub(crate) fn on_arrival(&mut self, request: usize) {
        let flight = &mut self.flights[request];
        if std::mem::replace(&mut flight.executed, true) {
            return;
        }
        let Flight { daemon, epoch, answered, lost, .. } = *flight;
        let command = flight.command.clone();
        let event = self.execute(&command);
        self.note(request as u64);
        if answered || lost {
            let number = request_of(&command).0;
            self.tell(|| format!("ledger executes request {number}; nobody hears of it"));
            return;
        }
        self.flights[request].answered = true;
        let pause = self.chances.time.between(1, 8);
        self.after(pause, Action::Deliver { daemon, epoch, event: Box::new(Event::Ledger(event)) });
    }

    fn execute(&mut self, command: &LedgerCommand) -> LedgerEvent {
        let events = match command {
            LedgerCommand::CreateAccounts { accounts, .. } => accounts.len(),
            LedgerCommand::CreateTransfers { transfers, .. } => transfers.len(),
            LedgerCommand::LookupTransfers { ids, .. } => ids.len(),
            LedgerCommand::Survey { .. } => 0,
        };
        if events > self.ledger_limit {
            self.happened(Fault::BatchLimit);
            return LedgerEvent::TooMuch { request: request_of(command), events };
        }
        let now = self.ledger_clock();
        match command {
            LedgerCommand::CreateAccounts { request, accounts } => {
                let new: Vec<_> = accounts.iter().map(translate::account).collect();
                let failures = self.ledger.create_accounts(&new, now).into_iter().collect();
                let accounts = accounts.iter().map(|a| a.id).collect();
                LedgerEvent::Accounts { request: *request, accounts, failures }
            }
            LedgerCommand::CreateTransfers { request, transfers } => {
                let new: Vec<_> = transfers.iter().map(translate::transfer).collect();
                let failures = self.ledger.create_transfers(&new, now);
                self.check_executed(&new, &failures);
                let failures = failures.into_iter().map(|(i, r)| (transfers[i].id, r)).collect();
                LedgerEvent::Transfers { request: *request, failures }
            }
            LedgerCommand::LookupTransfers { request, ids } => {
                let found = ids.iter().filter_map(|id| self.ledger.transfer(id.0));
                let transfers = found.map(translate::found).collect();
                LedgerEvent::Found { request: *request, transfers }
            }
            LedgerCommand::Survey { request, vaults } => {
                let moves = self.chances.fault.per_mille(200);
                let one = |v| survey::read(&self.ledger, v, moves);
                let readings = vaults.iter().copied().filter_map(one).collect();
                LedgerEvent::Surveyed { request: *request, readings }
            }
        }
    }

    /// Ends a daemon's session: all its requests become unknown at once; some execute all the same.
    pub(crate) fn evict(&mut self, d: usize) {
        for request in self.flights.len().saturating_sub(4)..self.flights.len() {
            let flight = &mut self.flights[request];
            if flight.daemon != d || flight.answered {
                continue;
            }
            if self.chances.fault.per_mille(400) {
                flight.executed = true; // It never arrives.
            }
            self.on_give_up(request);
        }
    }

    /// The newest request of a daemon under this id.
    pub(crate) fn flight_of(&self, d: usize, request: RequestId) -> Option<&Flight> {
        let of = |f: &&Flight| {
            f.daemon == d && f.epoch == self.daemons[d].epoch && request_of(&f.command) == request
        };
        self.flights.iter().rev().find(of)
    }

    pub(crate) fn ledger_clock(&self) -> u64 {
        (1_700_000_000_000 + self.now) * 1_000_000
    }
}

fn request_of(command: &LedgerCommand) -> RequestId {
    match command {
        LedgerCommand::CreateAccounts { request, .. }
        | LedgerCommand::CreateTransfers { request, .. }
        | LedgerCommand::LookupTransfers { request, .. }
        | LedgerCommand::Survey { request, .. } => *request,
    }
}

fn vault_of(bytes: &[u8]) -> alloy_primitives::Address {
    alloy_primitives::Address::from_slice(&bytes[..20])
}
