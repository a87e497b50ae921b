//! The HTTP interface against its own document, and for pages in a browser.

use crate::world::{ETHER, PATIENCE, VALID, World, address};
use anyhow::{Context, Result, ensure};
use harness::{gasless, http, keys::Role, paths, wait};
use serde_json::{Value, json};
use std::process::Command;

fn page(world: &World, path: &str) -> Result<Value> {
    let answer = world.sovrd.as_ref().context("no daemon")?.get(path)?;
    ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body);
    Ok(serde_json::from_str(&answer.body)?)
}

#[test]
fn every_answer_is_as_the_document_says() -> Result<()> {
    let mut world = World::new()?;
    world.config.api.cors_origins = vec!["*".into()];
    world.start()?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    let deposited = world.vault.deposit(&alice, &eth, 2 * ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    let paid = world.vault.request(&alice, &eth, ETHER / 4, alice.address(), VALID)?.id;
    world.wait_withdrawal(paid, "paid")?;
    let refused = world.vault.request(&alice, &eth, 50 * ETHER, alice.address(), VALID)?.id;
    world.wait_withdrawal(refused, "refused")?;
    // Without gas money a withdrawal stays open, and its ticket is there to be fetched.
    world.rpc().call("anvil_setBalance", &json!([address(Role::Submitter), "0x0"]))?;
    let open = world.vault.request(&alice, &eth, ETHER / 4, alice.address(), VALID)?.id;
    let ticket = format!("/v1/withdrawals/{open}/ticket");
    let sovrd = world.sovrd.as_ref().context("no daemon")?;
    wait::until("the ticket", PATIENCE, || Ok((sovrd.get(&ticket)?.status == 200).then_some(())))?;

    let mut command = Command::new("python3");
    command.env("PYTHONPATH", paths::root().join(".tools/py-openapi"));
    command.arg(paths::root().join("tests/openapi/conformance.py")).arg(sovrd.api_url());
    let references = [
        "deposit:3".to_owned(),
        "deposit:999".to_owned(),
        format!("withdrawal:{paid}"),
        format!("withdrawal:{refused}"),
        format!("withdrawal:{open}"),
        format!("tx:{}", deposited.transaction_hash),
        format!("address:{}", alice.address()),
    ];
    for reference in references {
        command.args(["--sample", &format!("reference={reference}")]);
    }
    for id in [paid, open] {
        command.args(["--sample", &format!("id={id}")]);
    }
    let deadline = world.vault.chain_time()? + VALID;
    let order = gasless::order(alice.address(), eth.address, ETHER / 8, deadline, 1);
    let key = Role::Alice.signer()?;
    let (_, order) = gasless::sign(world.deployment.chain_id, &world.vault, &key, order)?;
    command.args(["--body", &gasless::body(&order).to_string()]);
    let output = command.current_dir(world.dir.path()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}{wrong}");
    world.judge()?;
    Ok(())
}

#[test]
fn a_page_learns_what_it_needs_before_it_sends_anything() -> Result<()> {
    let mut world = World::new()?;
    world.config.chain.confirmations = 3;
    world.rpc().mine(3)?;
    world.start()?;
    let info = page(&world, "/v1/info")?;
    ensure!(info["vault"] == world.vault.address().to_string().to_lowercase(), "{info:#}");
    ensure!(info["finality"] == json!({"policy": "confirmations", "confirmations": 3}), "{info:#}");
    ensure!(info["deposits_paused_until"].is_null(), "{info:#}");
    let tokens = info["tokens"].as_array().context("no tokens")?;
    let named = |symbol: &str| tokens.iter().find(|t| t["symbol"] == symbol);
    for token in &world.deployment.tokens {
        let shown = named(&token.symbol).with_context(|| format!("no {}", token.symbol))?;
        ensure!(shown["decimals"] == token.decimals, "{shown:#}");
        ensure!(shown["scale_divisor"] == token.scale_divisor.to_string(), "{shown:#}");
        ensure!(shown["deposits_open"] == true, "{shown:#}");
    }
    world.vault.pause_payouts(&world.wallet(Role::Pauser)?)?;
    wait::until("the pause to be told", PATIENCE, || {
        Ok(page(&world, "/v1/info")?["payouts_paused_until"].is_u64().then_some(()))
    })?;
    let docs = world.sovrd.as_ref().context("no daemon")?.get("/docs")?;
    ensure!(docs.body.contains("/v1/transfers/{reference}"), "{}", docs.body);
    ensure!(!docs.body.contains("://"), "the page names another host: {}", docs.body);
    Ok(())
}

/// What a browser asks before a page of `origin` may read anything, and what it is told.
fn allowed(world: &World, origin: &str) -> Result<Option<String>> {
    let head = [("Origin", origin), ("Access-Control-Request-Method", "GET")];
    let answer =
        http::ask("OPTIONS", &format!("{}/v1/info", world.config.api_url()), &head, PATIENCE)?;
    Ok(answer.header("access-control-allow-origin").map(str::to_owned))
}

#[test]
fn pages_read_it_from_named_origins_only() -> Result<()> {
    let mut world = World::new()?;
    world.config.api.cors_origins = vec!["https://wallet.example".into()];
    world.start()?;
    let named = allowed(&world, "https://wallet.example")?;
    ensure!(named.as_deref() == Some("https://wallet.example"), "{named:?}");
    let other = allowed(&world, "https://evil.example")?;
    ensure!(other.is_none(), "{other:?}");
    Ok(())
}
