//! What must be, what the chain says and what the ledger says, side by side.

use super::{Options, amount, stage::Stage};
use crate::{contracts::Token, keys::Role, stack::StackFile, vault::abi::IVault};
use alloy::{
    primitives::{Address, U256},
    rpc::types::Log,
    sol_types::SolEvent,
};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::json;
use std::process::Command;

/// One balance seen from both sides, in token units.
#[derive(Debug)]
pub(super) struct Row {
    what: String,
    token: Token,
    must: u128,
    chain: u128,
    /// `None` for what the ledger knows nothing about.
    ledger: Option<u128>,
}

impl Row {
    /// Whether all sides agree with what must be.
    pub(super) fn equal(&self) -> bool {
        self.chain == self.must && self.ledger.is_none_or(|ledger| ledger == self.must)
    }
}

/// What a row is about.
#[derive(Clone, Copy, Debug)]
enum Subject {
    /// A person's balance in the bridge: deposits less payouts.
    Account(Role),
    /// What the vault holds.
    Vault,
    /// What is set aside for requests that nobody has answered.
    Open,
    /// A person's own wallet; ether as if gas were free.
    Wallet(Role),
}

/// What the story must lead to. Everybody starts with 10,000 ETH and 5,000 TUSD.
const MUST: [(&str, Subject, &str); 12] = [
    ("ETH", Subject::Account(Role::Alice), "1.5"),
    ("ETH", Subject::Account(Role::Bob), "1"),
    ("ETH", Subject::Vault, "2.5"),
    ("ETH", Subject::Open, "0"),
    ("ETH", Subject::Wallet(Role::Alice), "9,998.5"),
    ("ETH", Subject::Wallet(Role::Bob), "9,999"),
    ("TUSD", Subject::Account(Role::Alice), "1,000"),
    ("TUSD", Subject::Account(Role::Bob), "250.5"),
    ("TUSD", Subject::Vault, "1,250.5"),
    ("TUSD", Subject::Open, "0"),
    ("TUSD", Subject::Wallet(Role::Alice), "4,000"),
    ("TUSD", Subject::Wallet(Role::Bob), "4,749.5"),
];

/// Reads both sides.
pub(super) fn compare(stage: &Stage<'_>, options: &Options, file: &StackFile) -> Result<Vec<Row>> {
    let events = Events::read(stage)?;
    let accounts = accounts(options, file)?;
    MUST.iter()
        .map(|&(symbol, subject, must)| {
            let token = stage.deployment.token(symbol)?.clone();
            Ok(Row {
                what: what(subject),
                must: amount::parse(must, &token)?,
                chain: on_chain(stage, &events, subject, &token)?,
                ledger: in_ledger(&accounts, subject, &token)?,
                token,
            })
        })
        .collect()
}

/// For people.
pub(super) fn table(rows: &[Row]) -> String {
    let line = |what: &str, must: &str, chain: &str, ledger: &str, equal: &str| {
        format!("   {what:34}{must:>16}{chain:>16}{ledger:>16}   {equal}")
    };
    let mut lines = vec![line("", "must be", "on chain", "in the ledger", "")];
    for row in rows {
        let shown = |units| amount::shown(units, &row.token);
        let ledger = row.ledger.map_or_else(|| "-".to_owned(), shown);
        let equal = if row.equal() { "equal" } else { "DIFFERENT" };
        lines.push(line(&row.what, &shown(row.must), &shown(row.chain), &ledger, equal));
    }
    lines.join("\n")
}

fn what(subject: Subject) -> String {
    match subject {
        Subject::Account(role) => format!("{}, in the bridge", role.name()),
        Subject::Vault => "the vault".to_owned(),
        Subject::Open => "set aside for open requests".to_owned(),
        Subject::Wallet(role) => format!("{}, own wallet (gas added back)", role.name()),
    }
}

// ---- the chain ----------------------------------------------------------------------------

/// The vault's events that move money, from its creation.
#[derive(Debug)]
struct Events(Vec<Log>);

impl Events {
    fn read(stage: &Stage<'_>) -> Result<Self> {
        let from = format!("{:#x}", stage.deployment.deploy_block);
        let filter = json!([{"address": stage.vault.address(), "fromBlock": from}]);
        Ok(Self(serde_json::from_value(stage.rpc.call("eth_getLogs", &filter)?)?))
    }

    fn all<E: SolEvent>(&self) -> impl Iterator<Item = E> {
        self.0.iter().filter_map(|log| E::decode_log(&log.inner).ok()).map(|log| log.data)
    }

    /// Deposits less payouts.
    fn owned(&self, owner: Address, token: Address) -> Result<u128> {
        let deposits = self.all::<IVault::Deposited>();
        let came = deposits.filter(|e| e.owner == owner && e.token == token).map(|e| e.amount);
        let payouts = self.all::<IVault::Paid>();
        let went = payouts.filter(|e| e.owner == owner && e.token == token).map(|e| e.amount);
        came.sum::<u128>().checked_sub(went.sum()).context("more was paid than deposited")
    }

    /// Requests without an answer.
    fn open(&self, token: Address) -> u128 {
        let mut ended: Vec<_> = self.all::<IVault::Paid>().map(|e| e.id).collect();
        ended.extend(self.all::<IVault::PayoutDeferred>().map(|e| e.id));
        ended.extend(self.all::<IVault::Refused>().map(|e| e.id));
        ended.extend(self.all::<IVault::Cancelled>().map(|e| e.id));
        let requests = self.all::<IVault::WithdrawalRequested>();
        let open = requests.filter(|e| e.token == token && !ended.contains(&e.id));
        open.map(|e| e.amount).sum()
    }
}

fn on_chain(stage: &Stage<'_>, events: &Events, subject: Subject, token: &Token) -> Result<u128> {
    match subject {
        Subject::Account(role) => events.owned(role.address()?, token.address),
        Subject::Vault => Ok(stage.vault.balance(token, stage.vault.address())?.try_into()?),
        Subject::Open => Ok(events.open(token.address)),
        Subject::Wallet(role) => {
            let owner = role.address()?;
            let held: u128 = stage.vault.balance(token, owner)?.try_into()?;
            let gas = if token == &stage.ether { gas_paid(stage, owner)? } else { 0 };
            Ok(held + gas)
        }
    }
}

/// Every wei that an address has paid for gas.
fn gas_paid(stage: &Stage<'_>, sender: Address) -> Result<u128> {
    let mut sum = U256::ZERO;
    for number in 1..=stage.rpc.block_number()? {
        let receipts = stage.rpc.call("eth_getBlockReceipts", &json!([format!("{number:#x}")]))?;
        for receipt in receipts.as_array().context("no receipts")? {
            let field = |name: &str| serde_json::from_value(receipt[name].clone());
            let from: Address = serde_json::from_value(receipt["from"].clone())?;
            if from == sender {
                let (used, price): (U256, U256) = (field("gasUsed")?, field("effectiveGasPrice")?);
                sum += used * price;
            }
        }
    }
    Ok(sum.try_into()?)
}

// ---- the ledger ---------------------------------------------------------------------------

/// A line of `sovrd accounts --json`; amounts are ledger units.
#[derive(Debug, Deserialize)]
struct Account {
    ledger: u32,
    name: String,
    debits_posted: String,
    credits_posted: String,
    debits_pending: String,
    credits_pending: String,
}

/// All accounts, read from the ledger by the command that operators use.
fn accounts(options: &Options, file: &StackFile) -> Result<Vec<Account>> {
    let config = &file.daemon.as_ref().context("the stack has no daemon")?.config;
    let mut sovrd = Command::new(&options.sovrd);
    sovrd.args(["accounts", "--persons", "--json", "--config"]).arg(config);
    let output = sovrd.output().context("cannot run sovrd accounts")?;
    if !output.status.success() {
        bail!("sovrd accounts: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn in_ledger(accounts: &[Account], subject: Subject, token: &Token) -> Result<Option<u128>> {
    let listed = || accounts.iter().filter(|account| account.ledger == token.ledger);
    let found = |name: &str| {
        let mut same = listed().filter(|account| account.name == name);
        let account = same.next().with_context(|| format!("the ledger has no account {name}"))?;
        ensure!(same.next().is_none(), "the ledger has two accounts {name}");
        Ok(account)
    };
    let units = match subject {
        Subject::Wallet(_) => return Ok(None),
        Subject::Account(role) => {
            let account = found(&format!("funds of {:#x}", role.address()?))?;
            difference(&account.credits_posted, &account.debits_posted)?
        }
        Subject::Vault => {
            let account = found("VAULT")?;
            difference(&account.debits_posted, &account.credits_posted)?
        }
        Subject::Open => {
            let pending = |a: &Account| -> Result<u128> {
                let (debits, credits): (u128, u128) =
                    (a.debits_pending.parse()?, a.credits_pending.parse()?);
                Ok(debits.max(credits))
            };
            listed().map(pending).sum::<Result<u128>>()?
        }
    };
    units.checked_mul(token.scale_divisor).context("too much for a number").map(Some)
}

fn difference(more: &str, less: &str) -> Result<u128> {
    let (more, less): (u128, u128) = (more.parse()?, less.parse()?);
    more.checked_sub(less).context("an account of the ledger is below zero")
}
