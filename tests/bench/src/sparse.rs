//! Many blocks with few deposits, over real HTTP.

use crate::{
    catch_up::{self, Pace, Source},
    figure::Figure,
    node::{self, StoryNode},
    story::Story,
};
use anyhow::Result;

/// Paces of the bare loop; the bridge asks for at most 5,000 blocks.
const SWEEP: [Pace; 3] = [
    Pace { blocks: 5_000, at_once: 3 },
    Pace { blocks: 5_000, at_once: 1 },
    Pace { blocks: 5_000, at_once: 8 },
];

impl Source {
    /// A story, and the node that tells it.
    pub(crate) fn of(story: Story) -> Result<(StoryNode, Self)> {
        let node = StoryNode::start(story)?;
        let source = Self {
            url: node.url(),
            identity: story.identity(node::code_hash()),
            origin: story.origin(),
            last_block: story.last(),
            last_seq: story.last_seq(),
        };
        Ok((node, source))
    }
}

pub(crate) fn run(blocks: u64) -> Result<Vec<Figure>> {
    let story = Story { deposits: blocks.div_ceil(1_000), blocks };
    let (_node, source) = Source::of(story)?;
    let race = catch_up::race(&source, &SWEEP)?;
    let rate = |took: std::time::Duration| blocks as f64 / took.as_secs_f64();
    let note = format!(
        "{blocks} blocks with {} deposits, a node that answers at once, 2 cores; limit: bare loop, \
         best of {} paces ({:?})",
        story.deposits,
        SWEEP.len(),
        race.pace
    );
    let (value, limit) = (rate(race.bridge), rate(race.limit));
    Ok(vec![Figure::rate("backfill-sparse", value, "blocks/s", limit, note)])
}
