//! How to go on with `cast` while the stack stays up.

use super::{Options, screen::Screen};
use crate::{contracts::ETHER, keys::Role, paths, stack::StackFile};
use std::path::Path;

/// Prints commands that can be copied as they are; `scripts/test` runs every line after `$`.
pub(super) fn explain(screen: &Screen, options: &Options, file: &StackFile) {
    screen.heading("The stack stays up; go on in this folder with");
    let sovrd = shown(&options.sovrd);
    let config = file.daemon.as_ref().map(|daemon| shown(&daemon.config)).unwrap_or_default();
    let (vault, api) = (file.vault, file.api_url.as_deref().unwrap_or_default());
    let (alice, key) = (address(file, Role::Alice), Role::Alice.private_key());
    let send = format!(".tools/bin/cast send --rpc-url {} --private-key {key}", file.rpc_url);
    let deadline = format!(
        "$(($(.tools/bin/cast block latest --field timestamp --rpc-url {}) + 3600))",
        file.rpc_url
    );
    let request = "'requestWithdrawal(address,address,uint128,uint64)'";
    let commands = [
        (
            "Alice deposits 0.25 ETH",
            format!("{send} {vault} 'depositEther(address)' {alice} --value 0.25ether"),
        ),
        (
            "Alice asks for 0.1 ETH, valid for an hour of the chain's time",
            format!("{send} {vault} {request} {ETHER} {alice} 100000000000000000 {deadline}"),
        ),
        (
            "all her deposits and withdrawals, on chain and in the ledger",
            format!("curl -s {api}/v1/transfers/address:{alice} | python3 -m json.tool"),
        ),
        ("where the daemon stands", format!("{sovrd} status --config {config}")),
        ("every account of the ledger", format!("{sovrd} accounts --persons --config {config}")),
        ("chain against ledger, by the judge", "target/debug/harness judge --wait 30".to_owned()),
    ];
    for (what, command) in commands {
        screen.text(&format!("   # {what}\n   $ {command}"));
    }
    screen.text("   # end it\n   scripts/stack down");
}

fn address(file: &StackFile, role: Role) -> String {
    let found = file.dev_keys.iter().find(|key| key.role == role.name());
    found.map(|key| key.address.to_string()).unwrap_or_default()
}

/// Seen from the top of the checkout.
fn shown(path: &Path) -> String {
    path.strip_prefix(paths::root()).unwrap_or(path).display().to_string()
}
