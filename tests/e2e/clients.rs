//! Programs of wallet users, with the libraries that they use: viem and web3.py.

use crate::world::{World, address};
use anyhow::{Context, Result, ensure};
use harness::{keys::Role, paths, temp::TempDir};
use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

#[test]
fn a_page_with_viem() -> Result<()> {
    let project = TempDir::new("viem")?;
    let folder = project.path();
    for source in ["tests/clients/wallet.ts", "contracts/abi/IVault.ts"] {
        let from = paths::root().join(source);
        fs::copy(&from, folder.join(from.file_name().context("a file")?))?;
    }
    let modules = paths::root().join(".tools/node-clients/node_modules");
    ensure!(modules.exists(), "{} is missing: run scripts/setup", modules.display());
    symlink(&modules, folder.join("node_modules"))?;
    fs::write(folder.join("package.json"), r#"{"type": "module"}"#)?;

    // The types are part of what such a page relies on.
    let mut compiler = Command::new("node");
    compiler.arg(modules.join("typescript/bin/tsc")).args(["--strict", "--target", "es2022"]);
    compiler.args(["--module", "nodenext", "--skipLibCheck", "--outDir", ".", "wallet.ts"]);
    fine("tsc", &compiler.current_dir(folder).output()?)?;

    tell("viem", Command::new("node").arg(folder.join("wallet.js")))
}

#[test]
fn a_program_with_web3_py() -> Result<()> {
    let modules = paths::root().join(".tools/py-clients");
    ensure!(modules.exists(), "{} is missing: run scripts/setup", modules.display());
    let program = paths::root().join("tests/clients/wallet.py");
    tell("web3.py", Command::new("python3").arg(program).env("PYTHONPATH", modules))
}

/// Gives a user money and a running bridge, lets the program do what it does, and asks the judge.
fn tell(name: &str, program: &mut Command) -> Result<()> {
    let world = World::running()?;
    let (eth, usd) = (world.token("ETH")?, world.token("TUSD")?);
    let alice = world.wallet(Role::Alice)?;
    world.vault.mint(&alice, &usd, 1_000_000_000)?;
    program
        .env("RPC_URL", world.node.url())
        .env("CHAIN_ID", world.deployment.chain_id.to_string())
        .env("API_URL", world.config.api_url())
        .env("VAULT", world.vault.address().to_string())
        .env("ETHER", eth.address.to_string())
        .env("TOKEN", usd.address.to_string())
        .env("PRIVATE_KEY", Role::Alice.private_key().to_string())
        .env("RECIPIENT", address(Role::Bob).to_string());
    fine(name, &program.current_dir(Path::new("/")).output()?)?;
    world.judge().map(drop)
}

fn fine(name: &str, output: &Output) -> Result<()> {
    let (said, erred) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{name}: {}\n{said}{erred}", output.status);
    Ok(())
}
