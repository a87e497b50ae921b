//! Each sentence is provoked: a healthy world, changed in one way.

use super::*;
use crate::{
    chain::{node, vault_now::SignerSet},
    config::Config,
    doctor::{Verdict, facts::*},
};
use alloy::primitives::{Address, B256};
use bridge_core::{
    amount::ScaleDivisor,
    asset::{ETHER, LedgerId, Listing},
    block::{BlockNumber, BlockRef, Header, UnixSeconds},
    id::{Identity, InstanceKey},
};
use std::collections::BTreeSet;

const NOW_S: u64 = 1_800_000_000;
const ETH: u128 = 1_000_000_000_000_000_000;

const CONFIG: &str = r#"
    [chain]
    rpc_url = "http://127.0.0.1:8545"
    chain_id = 1
    vault = "0x00000000000000000000000000000000000000aa"
    vault_code_hash = "0x1111111111111111111111111111111111111111111111111111111111111111"
    deploy_block = 3
    [ledger]
    cluster_id = "0"
    addresses = ["127.0.0.1:3000"]
    clearing_ledger = 1002
    [store]
    path = "data"
    [api]
    listen = "127.0.0.1:8080"
    [payouts]
    signer_keystore = "signer.json"
    signer_password_file = "password"
    submitter_keystore = "submitter.json"
    submitter_password_file = "password"
"#;

const SIGNER: Address = Address::repeat_byte(1);
const REMOTE: Address = Address::repeat_byte(2);
const SUBMITTER: Address = Address::repeat_byte(3);

fn header(number: u64) -> Header {
    let block = BlockRef { number: BlockNumber(number), hash: B256::repeat_byte(7) };
    Header { block, parent: B256::repeat_byte(6), timestamp: UnixSeconds(NOW_S - 12) }
}

fn endpoint(config: &Config, url: &str) -> EndpointFacts {
    EndpointFacts {
        url: url.to_owned(),
        took_ms: 5,
        identity: Ok(node::Facts {
            chain_id: 1,
            genesis: B256::repeat_byte(9),
            code_hash: Some(config.chain.vault_code_hash),
            deploy: Some(header(3)),
        }),
        latest: Some(header(120)),
        final_head: Ok(header(109)),
        is_syncing: false,
        vault_before: Some(false),
        vault_created: Some(true),
    }
}

fn key(field: &str, role: KeyRole, address: Address) -> KeyFacts {
    KeyFacts {
        field: format!("payouts.{field}_keystore"),
        role,
        path: format!("{field}.json").into(),
        open_to_all: Vec::new(),
        address: Ok(address),
        is_well_known: false,
    }
}

fn account(name: &str, part: Part) -> AccountFacts {
    AccountFacts { name: name.to_owned(), standing: Standing::AsItMust, part }
}

fn vault(config: &Config) -> VaultFacts {
    let divisor = ScaleDivisor::new(1).unwrap();
    VaultFacts {
        identity: Identity {
            chain_id: 1,
            genesis: B256::repeat_byte(9),
            vault: config.chain.vault,
            code_hash: config.chain.vault_code_hash,
            deploy_block_hash: B256::repeat_byte(7),
        },
        deposits_paused_until: UnixSeconds(0),
        payouts_paused_until: UnixSeconds(NOW_S - 1),
        signers: SignerSet { signers: vec![SIGNER, REMOTE], threshold: 2 },
        clearing_token: Some(ETHER),
        listings: Some(vec![Listing { token: ETHER, ledger: LedgerId(1001), divisor }]),
        pauser_has_role: Some(true),
        pauser_balance: Some(ETH),
        submitter_balance: Some(ETH),
        base_fee: 1_000_000_000,
    }
}

/// A world in which nothing is wrong.
fn healthy(config: &Config) -> Facts {
    Facts {
        now_ms: NOW_S * 1_000,
        port: Port::Free,
        endpoints: vec![endpoint(config, "http://a.example"), endpoint(config, "http://b.example")],
        vault: Some(Ok(vault(config))),
        ledger: LedgerFacts {
            replicas: vec![("127.0.0.1:3000".parse().unwrap(), true)],
            answer: Ok(3),
            accounts: vec![
                account("the instance's registry entry", Part::Instance),
                account("the registry entry of ledger 1001", Part::Registry),
                account("VAULT of ledger 1001", Part::Chart),
            ],
            newest_ns: Some((NOW_S - 60) * 1_000_000_000),
        },
        store: StoreFacts {
            folder: "data".into(),
            exists: true,
            not_writable: None,
            holder: None,
            content: Some(Content::Readable { key: None, halted: None }),
            bytes_free: Some(100 << 30),
            files_free: Some(1 << 20),
        },
        keys: vec![
            key("signer", KeyRole::Signer, SIGNER),
            key("submitter", KeyRole::Submitter, SUBMITTER),
        ],
        signers: Ok(vec![SignerFacts {
            url: "http://10.0.0.11:9000".to_owned(),
            answer: Ok(SignerSays { address: REMOTE, not_ready: None, takes_token: true }),
        }]),
        memory_free: Some(8 << 30),
    }
}

fn says() -> DaemonSays {
    DaemonSays {
        ready: true,
        waiting_for: Vec::new(),
        chain_id: 1,
        vault: "0x00000000000000000000000000000000000000aa".parse().unwrap(),
        halted_because: None,
        listings: Vec::new(),
    }
}

type Change = fn(&mut Config, &mut Facts);

fn daemon(facts: &mut Facts, change: fn(&mut DaemonSays)) {
    let mut one = says();
    change(&mut one);
    facts.port = Port::Daemon(Box::new(one));
}

fn of_vault(facts: &mut Facts) -> &mut VaultFacts {
    facts.vault.as_mut().unwrap().as_mut().unwrap()
}

fn identity(facts: &mut Facts, endpoint: usize) -> &mut node::Facts {
    facts.endpoints[endpoint].identity.as_mut().unwrap()
}

fn says_of_signer(facts: &mut Facts) -> &mut SignerSays {
    facts.signers.as_mut().unwrap()[0].answer.as_mut().unwrap()
}

/// What is found, how bad it is, a word of what it says; after which change.
const NODES: &[(&str, Verdict, &str, Change)] = &[
    ("node.fine", Verdict::Fine, "block 120, final 109", |_, _| {}),
    ("node.unreachable", Verdict::Away, "http://a.example does not answer: refused", |_, f| {
        f.endpoints[0].identity = Err("refused".to_owned());
    }),
    ("node.other_chain", Verdict::Wrong, "serves chain 5, chain.chain_id is 1", |_, f| {
        identity(f, 1).chain_id = 5;
    }),
    ("node.other_genesis", Verdict::Wrong, "http://b.example has another block 0", |_, f| {
        identity(f, 1).genesis = B256::ZERO;
    }),
    ("node.not_synced", Verdict::Away, "has no block 3 (yet)", |_, f| {
        identity(f, 0).deploy = None;
    }),
    ("node.not_synced", Verdict::Away, "still syncing", |_, f| f.endpoints[1].is_syncing = true),
    ("node.no_final_block", Verdict::Away, "no final block: missing", |_, f| {
        f.endpoints[0].final_head = Err("missing".to_owned());
    }),
    ("node.old", Verdict::Away, "20 minutes old", |_, f| {
        f.endpoints[0].latest.as_mut().unwrap().timestamp = UnixSeconds(NOW_S - 1_200);
    }),
    ("node.lags", Verdict::Warning, "9 final blocks behind", |_, f| {
        f.endpoints[1].final_head = Ok(header(100));
    }),
    ("node.quorum", Verdict::Away, "wants 2 endpoints that say the same, 1 of 2 do", |c, f| {
        c.chain.quorum = 2;
        f.endpoints[1].identity = Err("refused".to_owned());
    }),
    ("vault.fine", Verdict::Fine, "the code that was audited", |_, _| {}),
    ("vault.unread", Verdict::Away, "cannot be read: cut", |_, f| {
        f.vault = Some(Err("cut".to_owned()));
    }),
    ("vault.no_code", Verdict::Wrong, "there is no contract at 0x", |_, f| {
        identity(f, 0).code_hash = None;
    }),
    ("vault.other_code", Verdict::Wrong, "has code 0x0000", |_, f| {
        identity(f, 0).code_hash = Some(B256::ZERO);
    }),
    ("vault.deploy_block", Verdict::Wrong, "is 3, but the vault existed before it", |_, f| {
        f.endpoints[0].vault_before = Some(true);
    }),
    ("vault.deploy_block", Verdict::Wrong, "does not exist in it yet", |_, f| {
        f.endpoints[0].vault_created = Some(false);
    }),
    ("vault.deposits_paused", Verdict::Warning, "paused for 2 more minutes", |_, f| {
        of_vault(f).deposits_paused_until = UnixSeconds(NOW_S + 61);
    }),
    ("vault.payouts_paused", Verdict::Warning, "nothing is paid until then", |_, f| {
        of_vault(f).payouts_paused_until = UnixSeconds(NOW_S + 61);
    }),
    ("vault.clearing", Verdict::Fine, "ledger 1002 is of token 0xEeee", |_, _| {}),
    ("vault.clearing_unlisted", Verdict::Wrong, "no token was ever listed with it", |_, f| {
        of_vault(f).clearing_token = None;
    }),
    ("vault.listings", Verdict::Fine, "tokens on ledgers 1001", |_, _| {}),
    ("vault.no_listings", Verdict::Warning, "lists no token", |_, f| {
        of_vault(f).listings = Some(Vec::new());
    }),
    ("vault.listings_unread", Verdict::Warning, "no logs of so many blocks", |_, f| {
        of_vault(f).listings = None;
    }),
];

const LEDGER_AND_STORE: &[(&str, Verdict, &str, Change)] = &[
    ("ledger.answers", Verdict::Fine, "cluster 0 answers in 3 ms", |_, _| {}),
    (
        "ledger.unreachable",
        Verdict::Away,
        "nobody accepts connections at 127.0.0.1:3000",
        |_, f| {
            f.ledger.replicas[0].1 = false;
            f.ledger.answer = Err("refused".to_owned());
        },
    ),
    ("ledger.silent", Verdict::Wrong, "does not answer as cluster 0: late", |_, f| {
        f.ledger.answer = Err("late".to_owned());
    }),
    ("ledger.replica_away", Verdict::Warning, "connections: 127.0.0.1:3001", |_, f| {
        f.ledger.replicas.push(("127.0.0.1:3001".parse().unwrap(), false));
    }),
    ("ledger.accounts", Verdict::Fine, "3 accounts are as they must be", |_, _| {}),
    ("ledger.instance_taken", Verdict::Wrong, "belongs to another vault", |_, f| {
        f.ledger.accounts[0].standing = Standing::Differs;
    }),
    (
        "ledger.registry_differs",
        Verdict::Wrong,
        "entry of ledger 1001: given to another",
        |_, f| {
            f.ledger.accounts[1].standing = Standing::Differs;
        },
    ),
    ("ledger.accounts_differ", Verdict::Wrong, "VAULT of ledger 1001", |_, f| {
        f.ledger.accounts[2].standing = Standing::Differs;
    }),
    ("ledger.unclaimed", Verdict::Fine, "nothing of this vault yet", |_, f| {
        f.ledger.accounts.iter_mut().for_each(|a| a.standing = Standing::Missing);
    }),
    ("ledger.accounts_missing", Verdict::Warning, "missing: VAULT of ledger 1001", |_, f| {
        f.ledger.accounts[2].standing = Standing::Missing;
    }),
    ("store.free", Verdict::Fine, "nobody uses it", |_, _| {}),
    ("store.absent", Verdict::Fine, "created by the first start", |_, f| {
        f.store.exists = false;
        f.store.content = None;
    }),
    ("store.not_writable", Verdict::Wrong, "cannot be written: denied", |_, f| {
        f.store.not_writable = Some("denied".to_owned());
    }),
    ("store.served", Verdict::Fine, "used by the running process 7", |_, f| {
        f.store.holder = Some(7);
        daemon(f, |_| {});
    }),
    ("store.in_use", Verdict::Away, "process 7, which does not answer", |_, f| {
        f.store.holder = Some(7);
    }),
    ("store.readable", Verdict::Fine, "whole and of this version", |_, _| {}),
    ("store.newer", Verdict::Wrong, "a newer version of sovrd: version 9", |_, f| {
        f.store.content = Some(Content::Newer("version 9".to_owned()));
    }),
    ("store.damaged", Verdict::Warning, "is damaged: wrong checksum", |_, f| {
        f.store.content = Some(Content::Damaged("wrong checksum".to_owned()));
    }),
    ("store.unread", Verdict::Warning, "not be looked into: denied", |_, f| {
        f.store.content = Some(Content::Unread("denied".to_owned()));
    }),
    ("store.halted", Verdict::Halted, "halted: a gap", |_, f| {
        let halted = Some("a gap".to_owned());
        f.store.content = Some(Content::Readable { key: None, halted });
    }),
    ("store.other_vault", Verdict::Wrong, "belongs to another vault", |_, f| {
        let key = Some(InstanceKey(B256::ZERO));
        f.store.content = Some(Content::Readable { key, halted: None });
    }),
    ("store.disk", Verdict::Fine, "100 GiB free", |_, _| {}),
    ("store.disk_full", Verdict::Away, "has room for 5 MiB", |_, f| {
        f.store.bytes_free = Some(5 << 20);
    }),
    ("store.disk_full", Verdict::Away, "room for no more files", |_, f| {
        f.store.files_free = Some(0);
    }),
    ("store.disk_low", Verdict::Warning, "has 500 MiB left", |_, f| {
        f.store.bytes_free = Some(500 << 20);
    }),
];

const KEYS: &[(&str, Verdict, &str, Change)] = &[
    ("key.fine", Verdict::Fine, "payouts.signer_keystore: 0x0101", |_, _| {}),
    ("key.unreadable", Verdict::Wrong, "payouts.signer_keystore signer.json: no file", |_, f| {
        f.keys[0].address = Err("no file".to_owned());
    }),
    ("key.open_to_all", Verdict::Wrong, "every user may read signer.json (mode 644)", |_, f| {
        f.keys[0].open_to_all = vec![("signer.json".into(), 0o644)];
    }),
    ("key.well_known", Verdict::Wrong, "a development key", |_, f| {
        f.keys[1].is_well_known = true;
    }),
    ("key.stranger", Verdict::Wrong, "is no payout signer", |_, f| {
        f.keys[0].address = Ok(Address::ZERO);
    }),
    ("key.submitter_signs", Verdict::Wrong, "is a payout signer too", |_, f| {
        f.keys[1].address = Ok(REMOTE);
    }),
    ("keys.none", Verdict::Fine, "pays nobody", |c, f| {
        c.payouts = None;
        f.keys.clear();
    }),
    ("signer.fine", Verdict::Fine, "http://10.0.0.11:9000 signs as 0x0202", |_, _| {}),
    ("signer.token_file", Verdict::Wrong, "no such file", |_, f| {
        f.signers = Err("payouts.signer_token_file: no such file".to_owned());
    }),
    ("signer.away", Verdict::Away, "does not answer: refused", |_, f| {
        f.signers.as_mut().unwrap()[0].answer = Err("refused".to_owned());
    }),
    ("signer.token_refused", Verdict::Wrong, "does not take our token", |_, f| {
        says_of_signer(f).takes_token = false;
    }),
    ("signer.stranger", Verdict::Wrong, "signs as 0x0000", |_, f| {
        says_of_signer(f).address = Address::ZERO;
    }),
    ("signer.not_ready", Verdict::Away, "is not ready: no node", |_, f| {
        says_of_signer(f).not_ready = Some("no node".to_owned());
    }),
    ("signer.threshold", Verdict::Fine, "2 payout signers are at hand, 2 must", |_, _| {}),
    ("signer.too_few_now", Verdict::Away, "1 payout signers are at hand, 2 must", |_, f| {
        says_of_signer(f).not_ready = Some("no node".to_owned());
    }),
    ("signer.too_few", Verdict::Wrong, "1 payout signers are at hand, 2 must", |_, f| {
        f.signers.as_mut().unwrap().clear();
    }),
    ("signer.too_few", Verdict::Wrong, "1 payout signers are at hand, 2 must", |_, f| {
        says_of_signer(f).address = SIGNER;
    }),
    ("gas.fine", Verdict::Fine, "the submitter has 1 ETH", |_, _| {}),
    ("gas.above_cap", Verdict::Away, "gas costs 901 gwei now", |_, f| {
        of_vault(f).base_fee = 900_000_000_000;
    }),
    ("gas.empty", Verdict::Away, "has 0.0005 ETH, one payout may cost 0.001 ETH", |_, f| {
        of_vault(f).submitter_balance = Some(ETH / 2_000);
    }),
    (
        "gas.low",
        Verdict::Warning,
        "has 0.05 ETH, less than payouts.low_balance_gwei (0.1",
        |_, f| {
            of_vault(f).submitter_balance = Some(ETH / 20);
        },
    ),
    ("pauser.fine", Verdict::Fine, "may pause", |_, _| {}),
    ("pauser.no_role", Verdict::Wrong, "may not pause", |_, f| {
        of_vault(f).pauser_has_role = Some(false);
    }),
    ("pauser.poor", Verdict::Warning, "the pauser has 0 ETH", |_, f| {
        of_vault(f).pauser_balance = Some(1);
    }),
];

const MACHINE: &[(&str, Verdict, &str, Change)] = &[
    ("port.free", Verdict::Fine, "127.0.0.1:8080 is free", |_, _| {}),
    ("port.signer", Verdict::Fine, "the signer 0x0202", |c, f| {
        c.payouts = None;
        let file = std::path::PathBuf::from("x");
        let key = crate::config::Keystore { path: file.clone(), password_file: file.clone() };
        c.signer = Some(crate::config::Signer { key, token_file: file });
        f.port = Port::Signer(REMOTE);
    }),
    ("port.taken", Verdict::Wrong, "another program answers", |_, f| f.port = Port::Stranger),
    ("port.taken", Verdict::Wrong, "another program answers", |_, f| f.port = Port::Signer(REMOTE)),
    ("port.unusable", Verdict::Wrong, "cannot be had: not ours", |_, f| {
        f.port = Port::Unusable("not ours".to_owned());
    }),
    ("daemon.ready", Verdict::Fine, "everything final", |_, f| daemon(f, |_| {})),
    ("daemon.other", Verdict::Wrong, "on chain 5", |_, f| daemon(f, |d| d.chain_id = 5)),
    ("daemon.halted", Verdict::Halted, "halted: a gap", |_, f| {
        daemon(f, |d| d.halted_because = Some("a gap".to_owned()));
    }),
    ("daemon.not_ready", Verdict::Away, "waits: catching up", |_, f| {
        daemon(f, |d| {
            d.ready = false;
            d.waiting_for = vec!["catching up".to_owned()];
        });
    }),
    ("clock.fine", Verdict::Fine, "not behind", |_, _| {}),
    ("clock.behind_ledger", Verdict::Wrong, "40 s ahead", |_, f| {
        f.ledger.newest_ns = Some((NOW_S + 40) * 1_000_000_000);
    }),
    ("clock.behind_chain", Verdict::Wrong, "the newest block is 40 s ahead", |_, f| {
        f.endpoints[0].latest.as_mut().unwrap().timestamp = UnixSeconds(NOW_S + 40);
    }),
    ("memory.fine", Verdict::Fine, "8192 MiB free", |_, _| {}),
    ("memory.short", Verdict::Away, "100 MiB of memory", |_, f| f.memory_free = Some(100 << 20)),
    ("memory.low", Verdict::Warning, "300 MiB of memory", |_, f| f.memory_free = Some(300 << 20)),
];

fn after(change: Change) -> Vec<Check> {
    let mut config = Config::parse(CONFIG).unwrap();
    let mut facts = healthy(&config);
    change(&mut config, &mut facts);
    judge(&config, &facts)
}

#[test]
fn each_fault_is_told_with_its_verdict_and_its_remedy() {
    for (name, verdict, says, change) in [NODES, LEDGER_AND_STORE, KEYS, MACHINE].concat() {
        let checks = after(change);
        let told = |c: &&Check| c.check == name && c.finding.contains(says);
        let found = checks.iter().find(told).unwrap_or_else(|| panic!("{name}: {checks:#?}"));
        assert_eq!(found.verdict, verdict, "{name}");
        assert_eq!(found.remedy.is_some(), verdict != Verdict::Fine, "{name}");
    }
}

#[test]
fn a_healthy_world_has_no_fault() {
    let checks = after(|_, _| {});
    assert!(checks.iter().all(|c| c.verdict == Verdict::Fine), "{checks:#?}");
}

/// A sentence that no case above provokes is one that nobody has ever read.
#[test]
fn no_sentence_is_left_out() {
    const SOURCES: [&str; 5] = [
        include_str!("chain.rs"),
        include_str!("keys.rs"),
        include_str!("ledger.rs"),
        include_str!("machine.rs"),
        include_str!("store.rs"),
    ];
    let is_name = |text: &&str| {
        let (part, what) = text.split_once('.').unwrap_or_default();
        let word =
            |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        word(part) && word(what)
    };
    let written: BTreeSet<&str> =
        SOURCES.iter().flat_map(|source| source.split('"')).filter(is_name).collect();
    let provoked: BTreeSet<&str> =
        [NODES, LEDGER_AND_STORE, KEYS, MACHINE].concat().iter().map(|case| case.0).collect();
    assert_eq!(written, provoked);
}

#[test]
fn development_nodes_may_be_old_and_their_keys_known() {
    let checks = after(|config, facts| {
        config.chain.chain_id = 31_337;
        for endpoint in &mut facts.endpoints {
            endpoint.identity.as_mut().unwrap().chain_id = 31_337;
            endpoint.latest.as_mut().unwrap().timestamp = UnixSeconds(1);
        }
        facts.endpoints[1].latest.as_mut().unwrap().timestamp = UnixSeconds(NOW_S * 2);
        facts.keys[0].is_well_known = true;
        facts.keys[1].open_to_all = vec![("submitter.json".into(), 0o644)];
    });
    assert!(checks.iter().all(|c| c.verdict == Verdict::Fine), "{checks:#?}");
}

#[test]
fn the_worst_verdict_chooses_the_exit_code() {
    use crate::exit::Exit;
    let exit = |change: Change| after(change).iter().map(|c| c.verdict).max().unwrap().exit();
    assert_eq!(exit(|_, _| {}), None);
    assert_eq!(exit(|_, f| f.memory_free = Some(300 << 20)), None);
    assert_eq!(exit(|_, f| f.memory_free = Some(0)), Some(Exit::Transient));
    let wrong: Change = |_, f| {
        f.memory_free = Some(0);
        f.port = Port::Stranger;
    };
    assert_eq!(exit(wrong), Some(Exit::Configuration));
    let halted: Change = |_, f| {
        f.port = Port::Stranger;
        let halted = Some("a gap".to_owned());
        f.store.content = Some(Content::Readable { key: None, halted });
    };
    assert_eq!(exit(halted), Some(Exit::Halted));
}

#[test]
fn amounts_are_read_by_people() {
    for (wei, text) in [
        (0, "0 ETH"),
        (ETH, "1 ETH"),
        (ETH / 20, "0.05 ETH"),
        (ETH * 3 / 2, "1.5 ETH"),
        (1, "0 ETH"),
    ] {
        assert_eq!(ether(wei), text);
    }
    assert_eq!((bytes(5 << 20), bytes(20 << 30)), ("5 MiB".to_owned(), "20 GiB".to_owned()));
}
