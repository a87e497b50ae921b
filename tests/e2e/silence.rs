//! A node that keeps its connections and says nothing is not mistaken for one with nothing to say.

use crate::world::{PATIENCE, World};
use anyhow::{Context, Result, ensure};
use harness::wait;
use std::time::{Duration, Instant};

#[test]
fn a_node_that_hangs_is_told_before_its_requests_time_out() -> Result<()> {
    let mut world = World::running()?;
    let ready = |world: &World| world.sovrd.as_ref().context("no daemon")?.get("/ready");
    world.node.server().pause()?;
    let since = Instant::now();
    let told = wait::until("/ready to tell it", PATIENCE, || {
        let answer = ready(&world)?;
        Ok((answer.status == 503).then_some(answer.body))
    })?;
    ensure!(told.contains("no node has answered for"), "{told}");
    ensure!(since.elapsed() < Duration::from_secs(9), "told after {:?}", since.elapsed());
    world.node.server().resume()?;
    world.ready()
}
