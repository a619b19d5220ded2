//! Topological order, and the circles that make it impossible.
//!
//! Nodes are numbers; whoever numbers them by name gets an order by name among equals.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

/// For each node, those that must come before it.
pub(crate) type Before = Vec<Vec<usize>>;

/// All nodes so that each comes after those before it, the smallest first among equals; or the
/// circles that prevent it.
pub(crate) fn order(before: &Before) -> Result<Vec<usize>, Vec<Vec<usize>>> {
    let mut following = vec![Vec::new(); before.len()];
    let mut missing: Vec<usize> = before.iter().map(Vec::len).collect();
    for (node, earlier) in before.iter().enumerate() {
        for &other in earlier {
            if let Some(list) = following.get_mut(other) {
                list.push(node);
            }
        }
    }
    let none_missing = missing.iter().enumerate().filter(|(_, missing)| **missing == 0);
    let mut free: BinaryHeap<Reverse<usize>> =
        none_missing.map(|(node, _)| Reverse(node)).collect();
    let mut sorted = Vec::with_capacity(before.len());
    while let Some(Reverse(node)) = free.pop() {
        sorted.push(node);
        for &next in following.get(node).into_iter().flatten() {
            if let Some(count) = missing.get_mut(next) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    free.push(Reverse(next));
                }
            }
        }
    }
    if sorted.len() == before.len() { Ok(sorted) } else { Err(circles(before, &missing)) }
}

/// One circle, as short as possible, through each node that is on one and has not been told yet:
/// `[a, b]` for a → b → a.
fn circles(before: &Before, missing: &[usize]) -> Vec<Vec<usize>> {
    let mut told = vec![false; before.len()];
    let mut circles = Vec::new();
    for start in 0..before.len() {
        let on_circle = missing.get(start).is_some_and(|missing| *missing > 0);
        if !on_circle || told.get(start).copied().unwrap_or(true) {
            continue;
        }
        let Some(circle) = shortest_circle(before, missing, start) else { continue };
        for &node in &circle {
            if let Some(told) = told.get_mut(node) {
                *told = true;
            }
        }
        circles.push(circle);
    }
    circles
}

/// Breadth first from `start` back to it.
fn shortest_circle(before: &Before, missing: &[usize], start: usize) -> Option<Vec<usize>> {
    let mut came_from: Vec<Option<usize>> = vec![None; before.len()];
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for &next in before.get(node).into_iter().flatten() {
            if next == start {
                let mut circle = vec![node];
                let mut at = node;
                while at != start {
                    at = came_from.get(at).copied().flatten()?;
                    circle.push(at);
                }
                circle.reverse();
                return Some(circle);
            }
            let blocked = missing.get(next).is_some_and(|missing| *missing > 0);
            match came_from.get_mut(next) {
                Some(seen @ None) if blocked => {
                    *seen = Some(node);
                    queue.push_back(next);
                }
                Some(_) | None => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn the_smallest_comes_first_among_equals() {
        assert_eq!(order(&vec![vec![], vec![], vec![]]), Ok(vec![0, 1, 2]));
        assert_eq!(order(&vec![vec![2], vec![], vec![]]), Ok(vec![1, 2, 0]));
        assert_eq!(order(&vec![vec![3], vec![0], vec![], vec![2]]), Ok(vec![2, 3, 0, 1]));
    }

    #[test]
    fn circles_are_found_and_told_once() {
        assert_eq!(order(&vec![vec![0]]), Err(vec![vec![0]]));
        assert_eq!(order(&vec![vec![1], vec![0], vec![0]]), Err(vec![vec![0, 1]]));
        assert_eq!(
            order(&vec![vec![1], vec![2], vec![0], vec![4], vec![3], vec![0]]),
            Err(vec![vec![0, 1, 2], vec![3, 4]])
        );
        // The shorter way round.
        assert_eq!(
            order(&vec![vec![1, 2], vec![2], vec![0]]),
            Err(vec![vec![0, 2], vec![1, 2, 0]])
        );
    }
}
