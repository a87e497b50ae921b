//! The comparison finds faults planted in the model, and none in the model as it is.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a test")]

use bridge_core::transfer::{AccountResult, TransferResult};
use bridge_sim::ledger::{
    Failures, Ledger,
    types::{Account, Transfer, account_flags as af, transfer_flags as tf},
};
use differential::{
    campaign::{Outcome, Plan, run},
    model::Model,
    server::Server,
};

const HISTORIES: u64 = 60;

const BURNT_IDS_WORK_AGAIN: u8 = 1;
const VOID_LEAVES_CLOSED: u8 = 2;
const NOTHING_EXPIRES: u8 = 3;
const COPIES_NO_USER_DATA: u8 = 4;

/// The simulator's ledger, wrong in one way.
#[derive(Default)]
struct Wrong<const FAULT: u8>(Ledger);

impl<const FAULT: u8> Model for Wrong<FAULT> {
    fn create_accounts(&mut self, events: &[Account], now: u64) -> Failures<AccountResult> {
        self.0.create_accounts(events, now)
    }

    fn create_transfers(&mut self, events: &[Transfer], now: u64) -> Failures<TransferResult> {
        let mut failures = self.0.create_transfers(events, now);
        if FAULT == BURNT_IDS_WORK_AGAIN {
            failures.retain(|(_, code)| *code != TransferResult::IdAlreadyFailed);
        }
        failures
    }

    fn expire(&mut self, now: u64) {
        if FAULT != NOTHING_EXPIRES {
            self.0.expire(now);
        }
    }

    fn account(&self, id: u128) -> Option<Account> {
        let account = Model::account(&self.0, id)?;
        let closed = self.0.transfers().any(|t| {
            (t.has(tf::CLOSING_DEBIT) && t.debit_account_id == id)
                || (t.has(tf::CLOSING_CREDIT) && t.credit_account_id == id)
        });
        let flags = if FAULT == VOID_LEAVES_CLOSED && closed { af::CLOSED } else { 0 };
        Some(Account { flags: account.flags | flags, ..account })
    }

    fn transfer(&self, id: u128) -> Option<Transfer> {
        let mut transfer = Model::transfer(&self.0, id)?;
        if FAULT == COPIES_NO_USER_DATA && transfer.has(tf::POST | tf::VOID) {
            transfer.user_data_128 = 0;
        }
        Some(transfer)
    }

    fn deadlines(&self) -> Vec<u64> {
        self.0.deadlines()
    }
}

fn on<M: Model>(server: &Server) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plan = Plan { histories: HISTORIES, first: 1, jobs: 8 };
    runtime.block_on(run::<M>(server, plan, |_| {})).unwrap()
}

fn found<M: Model>(server: &Server, most_events: usize) {
    let different = on::<M>(server).different.expect("the planted fault was not found");
    let left = different.history.len();
    assert!(left <= most_events, "{left} events left:\n{}", different.mismatch.told);
    assert!(!different.mismatch.differences.is_empty());
}

#[test]
fn planted_faults_are_found_and_the_model_holds() {
    let server = Server::start().unwrap();
    let outcome = on::<Ledger>(&server);
    assert!(outcome.different.is_none() && outcome.equal == HISTORIES);
    assert!(outcome.hits.expired > 0);
    found::<Wrong<BURNT_IDS_WORK_AGAIN>>(&server, 2);
    found::<Wrong<VOID_LEAVES_CLOSED>>(&server, 6);
    found::<Wrong<NOTHING_EXPIRES>>(&server, 6);
    found::<Wrong<COPIES_NO_USER_DATA>>(&server, 6);
}

/// The client refuses a batch over the limit, and nothing of it is executed.
#[test]
fn a_batch_is_executed_up_to_the_limit_and_not_at_all_beyond() {
    let server = Server::start().unwrap();
    let range = server.range();
    let account = |n| Account {
        id: range.place(n),
        ledger: 1,
        code: 1,
        flags: af::LINKED * u16::from(n % 253 != 0),
        ..Account::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let events: Vec<_> = (1..=254).map(account).collect();
        let ids: Vec<_> = events.iter().map(|a| a.id).collect();
        assert!(server.create_accounts(&events).await.is_err());
        assert!(server.lookup_accounts(&ids[..253]).await.unwrap().is_empty());
        assert_eq!(server.create_accounts(&events[..253]).await.unwrap(), vec![]);
        assert_eq!(Ledger::default().create_accounts(&events[..253], 0), vec![]);
        assert_eq!(server.lookup_accounts(&ids[..253]).await.unwrap().len(), 253);
    });
}
