//! What somebody sees who asks over HTTP, rightly or wrongly.

use crate::world::{ETHER, PATIENCE, World};
use anyhow::{Context, Result};
use harness::{http, keys::Role, wait};
use serde_json::Value;

/// Blocks in one request of the daemon: 64 such requests make one search.
const RANGE_BLOCKS: u64 = 3;
const SEARCHED_BLOCKS: u64 = 64 * RANGE_BLOCKS;

fn page(world: &World, path: &str) -> Result<Value> {
    let answer = world.sovrd.as_ref().context("no daemon")?.get(path)?;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    Ok(serde_json::from_str(&answer.body)?)
}

fn references(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(|item| item["ref"].as_str()).collect()
}

#[test]
fn a_wrong_request_is_a_problem_document() -> Result<()> {
    let world = World::running()?;
    let sovrd = world.sovrd.as_ref().context("no daemon")?;
    let posted = http::post_json(&format!("{}/v1/status", sovrd.api_url()), "{}", PATIENCE)?;
    let cases = [
        (posted, 405, "method-not-allowed", "not for POST"),
        (sovrd.get("/v1/nothing")?, 404, "not-found", "/v1/nothing is not served"),
        (sovrd.get("/v1/transfers/%ff")?, 400, "bad-request", "UTF-8"),
        (sovrd.get("/v1/withdrawals/%ff/ticket")?, 400, "bad-request", "UTF-8"),
        (
            sovrd.get("/v1/transfers/deposit:0?before=7")?,
            400,
            "bad-request",
            "is not deposit:<number>, withdrawal:<0x and 64 hex digits>, tx:<0x and 64 hex digits> \
             or address:<0x and 40 hex digits>; before_block, before_seq: the only parameters",
        ),
    ];
    for (answer, status, kind, detail) in cases {
        assert_eq!(answer.status, status, "{}", answer.body);
        let problem: Value = serde_json::from_str(&answer.body)?;
        assert_eq!(problem["type"], format!("urn:sovr:problem:{kind}"), "{problem:#}");
        assert_eq!(problem["status"], status, "{problem:#}");
        assert!(problem["detail"].as_str().unwrap_or_default().contains(detail), "{problem:#}");
    }
    Ok(())
}

#[test]
fn a_history_is_searched_in_bounded_parts_and_nothing_of_it_is_lost() -> Result<()> {
    let mut world = World::new()?;
    world.config.chain.range_blocks_max = Some(RANGE_BLOCKS);
    world.start()?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    world.rpc().mine(SEARCHED_BLOCKS + 20)?;
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.wait_state("deposit:4", "cleared")?;

    let newest = page(&world, &format!("/v1/transfers/address:{}", alice.address()))?;
    assert_eq!(references(&newest), ["deposit:4"], "{newest:#}");
    assert_eq!(newest["truncated"], true);
    let searched = newest["searched_from_block"].as_u64().context("no block")?;
    assert_eq!(world.rpc().block_number()? - searched + 1, SEARCHED_BLOCKS, "{newest:#}");

    let older = page(&world, newest["older"].as_str().context("no link to what is older")?)?;
    assert_eq!(references(&older), ["deposit:3"], "{older:#}");
    assert_eq!(older["truncated"], false, "{older:#}");
    assert!(older["older"].is_null(), "{older:#}");
    // Within a block, the number of an event says where the next page goes on.
    let block = older["items"][0]["chain"]["block"].as_u64().context("no block")? + 1;
    let path = format!("/v1/transfers/address:{}?before_block={block}", alice.address());
    assert_eq!(references(&page(&world, &format!("{path}&before_seq=4"))?), ["deposit:3"]);
    assert_eq!(references(&page(&world, &format!("{path}&before_seq=3"))?), [""; 0]);
    // What has cleared is known from the ledger, however long ago it was.
    let cleared = world.item("deposit:3")?;
    assert_eq!(cleared["state"], "cleared", "{cleared:#}");
    Ok(())
}

#[test]
fn why_a_withdrawal_was_refused_is_told_after_it_ended_too() -> Result<()> {
    let world = World::running()?;
    let (eth, bob) = (world.token("ETH")?, world.wallet(Role::Bob)?);
    let empty = world.vault.request(&bob, &eth, ETHER, bob.address(), crate::world::VALID)?;
    world.wait_withdrawal(empty.id, "refused")?;
    wait::until("the bridge to have forgotten it", PATIENCE, || {
        Ok((page(&world, "/v1/status")?["open_withdrawals"] == 0).then_some(()))
    })?;
    let item = world.item(&format!("withdrawal:{}", empty.id))?;
    assert_eq!(item["chain"]["outcome"], "refused", "{item:#}");
    let sentence = item["sentence"].as_str().unwrap_or_default();
    assert!(sentence.contains("balance in the ledger did not cover"), "{item:#}");
    Ok(())
}
