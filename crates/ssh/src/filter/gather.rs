//! Pieces in the size that packets are worth.

use sockless_core::{Buf, Cx, Pipe};

/// What is shorter is copied together: a packet costs more than copying that much.
const SMALL: usize = 2048;

/// And so much at most.
const TOGETHER: usize = 16 * 1024;

/// The next piece of at most `most` bytes, or several small ones as one. `None`: there is
/// nothing, or no room.
pub(super) fn gather(pipe: &mut Pipe, most: usize, cx: &Cx<'_>) -> Option<Buf> {
    let first = pipe.pop_max(most)?;
    let is_small = |pipe: &Pipe| pipe.front().is_some_and(|next| next.len() <= SMALL);
    if first.len() > SMALL || first.len() == most || !is_small(pipe) {
        return Some(first);
    }
    let mut all = cx.buf(TOGETHER.min(first.len() + pipe.len()));
    all.extend_from_slice(&first);
    while is_small(pipe)
        && let Some(piece) = pipe.pop_max((most - all.len()).min(all.spare()))
    {
        all.extend_from_slice(&piece);
    }
    Some(all)
}
